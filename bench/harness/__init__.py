# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parts of the cost harness; bench.py and cycle.py are the programs."""
