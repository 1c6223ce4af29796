"""How the kernel talks to the core: pyfuse3 with its loop, and the raw protocol."""
