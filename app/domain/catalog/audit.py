from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("product.created", "A product was created."),
    AuditKind("product.updated", "A product was changed."),
    AuditKind("product.deleted", "A product was deleted."),
    AuditKind("product.stock_adjusted", "The stock of a product was changed by hand."),
)
