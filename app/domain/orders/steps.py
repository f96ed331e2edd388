"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

STEPS = Steps(
    last=("payOrder", "shipOrder", "deliverOrder", "refundOrder", "cancelOrder"),
    repeats={"placeOrderToCancel": "placeOrder"},
    values={"cancelOrder": {"order_id": "{{placeOrderToCancel.response.body.id}}"}},
)
