"""Rate limits. :mod:`.limiter` counts against limits, and :mod:`.counters` is where it counts.

:mod:`.general` limits every request outside the application, :mod:`.routes` limits single routes with a guard,
:mod:`.throttle` limits attempts at a user's credentials.
"""
