/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* C++ with templates, lambdas, virtual calls and much that is inlined: addresses to look up, nothing to run. */
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace shapes
{
struct shape {
	virtual ~shape() = default;
	virtual double area() const = 0;
};

template <int N> struct polygon : shape {
	std::vector<double> sides = std::vector<double>(N, 1.5);

	double area() const override
	{
		return std::accumulate(sides.begin(), sides.end(), 0.0,
				       [](double sum, double side) { return sum + side * N; });
	}
};

namespace
{
std::map<std::string, std::unique_ptr<shape>> make(const std::vector<std::string> &names)
{
	std::map<std::string, std::unique_ptr<shape>> all;

	for (const auto &name : names) {
		if (name.size() % 2)
			all.emplace(name, std::make_unique<polygon<3>>());
		else
			all.emplace(name, std::make_unique<polygon<4>>());
	}
	return all;
}
}

using value = std::variant<int, double, std::string>;

static std::string text_of(const value &v)
{
	return std::visit(
		[](const auto &x) {
			std::ostringstream out;
			out << x;
			return out.str();
		},
		v);
}

double total(int argc, char **argv)
{
	std::vector<std::string> names(argv, argv + argc);
	std::unordered_map<std::string, value> values;
	double sum = 0;

	std::sort(names.begin(), names.end(),
		  [](const auto &a, const auto &b) { return a.size() < b.size(); });
	for (const auto &[name, shape] : make(names)) {
		values[name] = shape->area();
		sum += shape->area() + static_cast<double>(text_of(values[name]).size());
	}
	if (std::regex_search(names.front(), std::regex("a(b|c)+[0-9]{2}")))
		sum++;
	return sum;
}
}

int main(int argc, char **argv)
{
	std::function<double()> f = [&] { return shapes::total(argc, argv); };

	return f() > 0;
}
