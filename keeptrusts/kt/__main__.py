"""`python -m keeptrusts.kt`, the same as `kt`."""

from keeptrusts.kt import main

main()
