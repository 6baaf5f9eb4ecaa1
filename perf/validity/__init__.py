"""What proves the verdict: models whose making is known, judged by it, and the share of wrong answers.

`population` says which models of the lab are damaged or treated and how, `runs` judges each of them and keeps
a reading (the verdict and every figure behind it), `tables` counts what the readings say beside the limits.

What was read is kept in ``readings``, by commit, packed by gzip.

Run: python -m perf.validity run [--minutes 20] [--part 1/2], then python -m perf.validity tables
"""
