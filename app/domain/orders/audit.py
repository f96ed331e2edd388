from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("order.shipped", "Staff shipped an order."),
    AuditKind("order.delivered", "Staff marked an order as delivered."),
    AuditKind("order.cancelled", "A customer or staff cancelled an order."),
    AuditKind("order.refunded", "Staff refunded an order."),
)
