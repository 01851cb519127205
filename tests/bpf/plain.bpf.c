// SPDX-License-Identifier: MIT
/* What needs no BTF: a program without a map. */
__attribute__((section("xdp"), used)) int pass(void *context)
{
	return 2;
}
