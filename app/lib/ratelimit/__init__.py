"""Rate limits: what is counted (:mod:`.policy`), where (:mod:`.memory`, :mod:`.redis`, :mod:`.table`), and by whom.

:mod:`.general` limits every request outside the application, :mod:`.routes` limits single routes with a guard,
:mod:`.throttle` limits attempts at an account. All three count through :class:`.limiter.RateLimiter`.
"""
