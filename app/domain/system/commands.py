"""``app metrics``: what ``/metrics`` has."""

from collections.abc import Iterable

import click
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.lib.cli.running import make_core


@click.group()
def metrics() -> None:
    """Describe the metrics."""


@metrics.command("list")
def list_metrics() -> None:
    """List all metrics, as a page of Markdown."""
    click.echo("# Metrics\n\nWritten by `app metrics list`; how to use them is in [monitoring.md](monitoring.md).")
    click.echo("Where there are several workers, gauges of a process have the label `pid`, too.\n")
    click.echo("| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |")
    for row in sorted(row for each in make_core().metrics.collectors for row in _rows_of(each)):
        click.echo(row)


def _rows_of(collector: Collector) -> list[str]:
    """The library keeps the names of labels to itself while there is no sample."""
    rows: list[str] = []
    families: Iterable[Metric] = collector.collect()
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
        shown = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{name}` | {family.type} | {shown} | {family.documentation} |")
    return rows
