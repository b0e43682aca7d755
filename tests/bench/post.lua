-- SPDX-License-Identifier: MIT
-- What wrk sends: one chat request, the same again and again.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open(os.getenv("BENCH_BODY")):read("*a")
