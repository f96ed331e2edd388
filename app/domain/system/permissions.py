from app.lib.domain import Permission

METRICS_READ = "metrics:read"

PERMISSIONS = (Permission(METRICS_READ, "Read the metrics."),)
