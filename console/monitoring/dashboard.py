"""The dashboard for Grafana, in ja and en, ready for provisioning; it asks for a node's figures alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Lang = Literal["ja", "en"]
COLUMNS, WIDE, HIGH = 24, 8, 7
SOURCE = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: what it shows, and where from. `legend` names a series by its labels."""

    ja: str
    en: str
    query: str
    legend: str = ""
    unit: str = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"
    bad_from: float | None = None


LATE = 'histogram_quantile(0.99, sum by (le, kind) (rate(hikeshi_due_late_seconds_bucket{job="$job"}[15m])))'
WRITE = 'histogram_quantile({q}, sum by (le) (rate(hikeshi_record_write_seconds_bucket{{job="$job"}}[5m])))'
PANELS: tuple[Panel, ...] = (
    Panel(ja="正常", en="Healthy", query='hikeshi_healthy{job="$job"}', kind="stat"),
    Panel(ja="送信待ちの呼出 (最長)", en="Oldest page that has not left", unit="s", kind="stat", bad_from=60,
          query='hikeshi_page_oldest_seconds{job="$job"}'),
    Panel(ja="監査の検出事項", en="Findings of the auditor", kind="stat", bad_from=1,
          query='sum(hikeshi_audit_findings{job="$job"})'),
    Panel(ja="対応中のインシデント", en="Open incidents", legend="{{severity}}",
          query='sum by (severity) (hikeshi_incidents_open{job="$job"})'),
    Panel(ja="時計", en="Clocks", legend="{{state}}", query='sum by (state) (hikeshi_clocks{job="$job"})'),
    Panel(ja="次の期限まで", en="Until something is due next", unit="s",
          query='hikeshi_next_due_seconds{job="$job"}'),
    Panel(ja="期限からの遅れ (99%)", en="Lateness by kind (99 %)", unit="s", legend="{{kind}}", query=LATE),
    Panel(ja="直近1分の最大の遅れ", en="Worst lateness of the last minute", unit="s",
          query='hikeshi_lateness_seconds{job="$job"}'),
    Panel(ja="停止中のタイマー", en="Timers stopped", query='hikeshi_streams_quarantined{job="$job"}'),
    Panel(ja="チャネル別の送信待ち", en="Waiting messages by channel", legend="{{channel}}",
          query='hikeshi_outbox_channel{job="$job"}'),
    Panel(ja="チャネル別の最長待ち時間", en="Oldest waiting message by channel", unit="s",
          legend="{{channel}}", query='hikeshi_outbox_channel_oldest_seconds{job="$job"}'),
    Panel(ja="送信結果", en="Deliveries", legend="{{channel}} {{outcome}}",
          query='sum by (channel, outcome) (rate(hikeshi_deliveries_total{job="$job"}[5m]))'),
    Panel(ja="記録された操作", en="What was stored", legend="{{by}}",
          query='sum by (by) (rate(hikeshi_commands_total{job="$job"}[5m]))'),
    Panel(ja="拒否された操作", en="Refusals", legend="{{reason}}",
          query='sum by (reason) (rate(hikeshi_commands_refused_total{job="$job"}[5m]))'),
    Panel(ja="書き込み時間 (99%)", en="Time of a write (99 %)", unit="s", query=WRITE.format(q="0.99")),
    Panel(ja="機能低下", en="Impaired", legend="{{what}}", query='hikeshi_impaired{job="$job"} > 0'),
    Panel(ja="最後の応答からの時間", en="Since the last sign of life", unit="s", legend="{{part}}",
          query='hikeshi_node_age_seconds{job="$job"}'),
    Panel(ja="Prefect", en="Prefect", query='hikeshi_prefect_up{job="$job"}'),
    Panel(ja="第二経路と Webhook の待ち", en="Second path and webhooks: waiting", legend="{{sink}}{{hook}}",
          query='hikeshi_relay_waiting{job="$job"} or hikeshi_hook_waiting{job="$job"}'),
    Panel(ja="最後のチェックポイントから", en="Age of the last checkpoint", unit="s",
          query='hikeshi_checkpoint_age_seconds{job="$job"}'),
    Panel(ja="開いている画面", en="Pages open", query='hikeshi_listeners{job="$job"}'),
    Panel(ja="CPU 使用率", en="Processor", unit="percentunit",
          query='rate(hikeshi_process_cpu_seconds_total{job="$job"}[5m])'),
    Panel(ja="メモリ", en="Memory", unit="bytes", query='hikeshi_process_resident_bytes{job="$job"}'),
    Panel(ja="バージョン", en="Version", kind="stat", legend="{{version}}",
          query='hikeshi_build_info{job="$job"}'),
)  # fmt: skip


def dashboard(lang: Lang) -> dict[str, Any]:
    """The whole of it, as Grafana reads it from a file."""
    return {
        "uid": f"hikeshi-{lang}",
        "title": {"ja": "Hikeshi の稼働状況", "en": "Hikeshi: how it is"}[lang],
        "tags": ["hikeshi"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _job()]},
        "panels": [_drawn(number, one, lang) for number, one in enumerate(PANELS)],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _job() -> dict[str, Any]:
    return {
        "name": "job",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(hikeshi_build_info, job)",
        "refresh": 1,
        "current": {"text": "hikeshi", "value": "hikeshi"},
    }


def _drawn(number: int, panel: Panel, lang: Lang) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS // WIDE)
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.bad_from is not None:
        steps.append({"color": "red", "value": panel.bad_from})
    target = {
        "refId": "A",
        "datasource": SOURCE,
        "expr": panel.query,
        "legendFormat": panel.legend or "__auto",
    }
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.ja if lang == "ja" else panel.en,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDE, "y": row * HIGH, "w": WIDE, "h": HIGH},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [target],
    }
