from collections.abc import Sequence

from app.lib.errors import AppError, Conflict, ErrorCode, FieldCode, FieldError, InvalidState, NotFound


class OrderNotFound(NotFound):
    detail = "There is no such order, or it is not yours."


class TooManyOpenOrders(Conflict):
    """What is ordered is reserved, so no user may have much of it without paying."""

    code = ErrorCode("too_many_open_orders", "Too much is ordered and not paid", "Pay for an order or cancel one.")

    def __init__(self, most_orders: int, most_pieces: int) -> None:
        super().__init__(
            f"You may have {most_orders} unpaid orders with {most_pieces} pieces in all. Pay or cancel one first."
        )


class InvalidTransition(InvalidState):
    """Names the transitions that are possible instead."""

    def __init__(self, wanted: str, status: str, allowed: Sequence[str]) -> None:
        instead = f"possible: {', '.join(allowed)}" if allowed else "nothing is possible"
        super().__init__(
            f"The order is {status}, so you cannot {wanted} it; {instead}.",
            extensions={"order_status": status, "allowed": list(allowed)},
        )


class PaymentInProgress(InvalidState):
    """The outcome of a payment is not known yet, and until then nothing else may happen to the order."""

    def __init__(self) -> None:
        super().__init__("A payment of this order is in progress; wait for its outcome.", extensions={"allowed": []})


class OrderExpired(InvalidState):
    """The time to pay is over, although the job has not cancelled the order yet."""

    def __init__(self, status: str, allowed: Sequence[str]) -> None:
        left = [each for each in allowed if each != "pay"]
        super().__init__(
            "The order has expired: it was not paid in time.", extensions={"order_status": status, "allowed": left}
        )


class NoPayments(InvalidState):
    """No payment provider is configured. Not a 503: it does not pass, and clients would repeat the request."""

    def __init__(self, status: str, allowed: Sequence[str]) -> None:
        left = [each for each in allowed if each != "pay"]
        extensions = {"order_status": status, "allowed": left}
        super().__init__("This service takes no payments, so the order cannot be paid here.", extensions=extensions)


class PaymentDeclined(AppError):
    status = 402
    code = ErrorCode("payment_declined", "The payment was declined", "Use another means of payment.")
    detail = "The payment was declined; the order is still to be paid."


class RefundTooLarge(Conflict):
    detail = "No more can be refunded than was paid and is not refunded yet."

    def __init__(self, left: Sequence[tuple[str, int]]) -> None:
        super().__init__(
            errors=[
                FieldError(pointer=pointer, code=FieldCode.TOO_LARGE, detail=f"{pieces} left to refund.")
                for pointer, pieces in left[:50]
            ]
        )
