"""The bench: every workload of evenhand beside what people run for it today, in one process and one table.

    make bench                                   # or: python -m perf.bench --size small --rounds 3
    python -m perf.bench --only genbiaseval      # one case
    python -m perf.bench --size 124m --items 96 --items genbiaseval=2358 --out docs/performance.md

`harness` measures one `Case`: ours and its peers in interleaved rounds. A family of cases is a module with a
mapping `CASES` from a name to a function that builds the case, and is added to `MODULES` in `__main__`.
`inputs` makes random models and texts, `work` counts the products that no implementation avoids, and `page`
writes the table, the page and the line of the history.
"""
