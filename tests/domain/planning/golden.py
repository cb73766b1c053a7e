"""Numbers that statsmodels 0.15.0 and scipy 1.17.1 computed once; the tests compare ours with them.

They come from a virtual environment of their own (`pip install statsmodels==0.15.0`), because pandas and scipy would
weigh more on every run than all that we test. For each row:

    SimpleExpSmoothing(series, initialization_method="known", initial_level=first)
        .fit(smoothing_level=alpha, optimized=False)      # fittedvalues[-1], forecast(1)[0], sqrt(sse / len(series))
    OLS(units, add_constant(prices)).fit()                # params, rsquared
    minimize_scalar(lambda p: -p * (beta0 + beta1 * p), bounds=..., method="bounded", options={"xatol": 1e-9})
    minimize_scalar(lambda q: D / q * Co + q / 2 * Ch, bounds=(1e-6, 1e6), method="bounded", options={"xatol": 1e-10})
    scipy.stats.norm.ppf(level)
"""

STEADY = (110, 120, 115, 118, 121, 117)
RISING = (10, 14, 19, 23, 31, 38, 44)
LARGE = (100_500, 98_700, 101_200, 99_950, 102_300)
SMOOTHED = [
    (STEADY, "0.5", 100, "118.4375", "117.7188", "7.9335"),
    (STEADY, "0.1", 110, "112.9540", "113.3586", "6.5301"),
    ((0, 3, 0, 0, 5, 0, 1, 0, 0, 4), "0.3", 0, "0.5813", "1.6069", "2.1936"),
    (RISING, "0.85", 10, "36.7537", "42.9130", "6.1930"),
    (LARGE, "0.2", 100_000, "100066.8000", "100513.4400", "1350.7700"),
    (LARGE, "0.9999", 100_500, "99950.1250", "102299.7650", "1820.5981"),
]
"""(series, alpha, first forecast, last of the forecasts, next one, root of the mean square error)"""

TEA = ((500, 40), (450, 52), (525, 33), (475, 47), (500, 42), (550, 28))
CUP = ((19_900, 3), (17_900, 6), (18_900, 4), (20_900, 3), (16_900, 9))
FITTED = [
    (TEA, "164.3333", "-0.248000000", "0.9873"),
    (CUP, "33.3500", "-0.001500000", "0.8654"),
    (((100, 7), (200, 11), (300, 5)), "9.6667", "-0.010000000", "0.1071"),
    (((100, 5), (200, 6), (300, 9)), "2.6667", "0.020000000", "0.9231"),
]
"""((price, units) of each point, beta0, beta1, r squared)"""

BEST = [
    (TEA, (None, None), 450, "at_lowest", "23730.0"),
    (TEA, (100, 600), 331, "inside", "27223.2"),
    (CUP, (None, None), 16_900, "at_lowest", "135200.0"),
    (CUP, (5_000, 20_000), 11_117, "inside", "185370.4"),
    (((100, 7), (200, 11), (300, 5)), (None, None), 300, "at_highest", "2000.0"),
]
"""(points, lowest and highest price allowed, best price, where it lies, its revenue)"""

LOTS = [
    (1000, 50, 4, "158.1139"),
    (12_000, 2_500, 180, "577.3503"),
    (7, 999, 3, "68.2788"),
    (365, 1, 1000, "0.8544"),
]
"""(D, Co, Ch, economic order quantity)"""

FACTORS = {
    "0.5": "0.0000", "0.8": "0.8416", "0.85": "1.0364", "0.9": "1.2816", "0.95": "1.6449", "0.975": "1.9600",
    "0.98": "2.0537", "0.99": "2.3263", "0.995": "2.5758", "0.999": "3.0902",
}  # fmt: skip
"""Service level -> quantile of the normal distribution"""
