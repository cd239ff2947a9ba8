"""What the alerts of known tools look like, as mappings. `examples/alerts/README.md` names the sources.

An institution may write a `mapping` of its own for a source of any of these formats; it is used instead.
"""

from __future__ import annotations

from collections.abc import Mapping as Table

from models.installation import Mapping

_WORDS_OF_GRAVITY = {"informational": 1, "info": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
_ALERT = "kibana.alert"
_RULE = f"{_ALERT}.rule"
_SENTINEL = "object.properties"

FORMATS: Table[str, Mapping] = {
    # One matter is one alert by its labels: Alertmanager's fingerprint says exactly that.
    "alertmanager": Mapping(
        items="alerts",
        key=("$.receiver?", "fingerprint|labels.alertname", "labels.instance?"),
        title="annotations.summary|annotations.description|labels.alertname",
        at="startsAt",
        level="labels.severity?",
        scale={"none": 0, "info": 1, "warning": 3, "page": 4, "error": 4, "critical": 5},
        hosts=("labels.instance", "labels.host", "labels.hostname", "labels.nodename", "labels.node"),
        words=("labels.*", "annotations.*"),
        ended={"status": ("resolved",)},
    ),
    # The incident trigger of an automation rule: the same incident comes again whenever it changes.
    "sentinel": Mapping(
        key=("object.name|object.id",),
        title=f"{_SENTINEL}.title",
        at=f"{_SENTINEL}.firstActivityTimeUtc|{_SENTINEL}.createdTimeUtc",
        level=f"{_SENTINEL}.severity?",
        scale=_WORDS_OF_GRAVITY,
        hosts=(
            f"{_SENTINEL}.relatedEntities.*.properties.hostName",
            f"{_SENTINEL}.relatedEntities.*.properties.address",
        ),
        words=(
            f"{_SENTINEL}.title",
            f"{_SENTINEL}.description",
            f"{_SENTINEL}.additionalData.tactics",
            f"{_SENTINEL}.additionalData.techniques",
            f"{_SENTINEL}.alerts.*.properties.alertDisplayName",
        ),
        ended={f"{_SENTINEL}.status": ("Closed",)},
    ),
    # Alert documents by a webhook connector. Their uuid is new each time: rule and host name the matter.
    "elastic": Mapping(
        items="alerts?",
        key=(f"{_RULE}.uuid|{_RULE}.rule_id|{_RULE}.name", "host.name|user.name|source.ip?"),
        title=f"{_RULE}.name",
        at=f"{_ALERT}.original_time|@timestamp",
        level=f"{_ALERT}.severity|{_RULE}.severity?",
        scale=_WORDS_OF_GRAVITY,
        hosts=("host.name", "host.hostname", "host.ip", "destination.ip"),
        words=(
            f"{_RULE}.name",
            f"{_ALERT}.reason",
            f"{_RULE}.tags",
            f"{_RULE}.threat.*.tactic.name",
            f"{_RULE}.threat.*.technique.*.id",
            f"{_RULE}.threat.*.technique.*.name",
            f"{_RULE}.threat.*.technique.*.subtechnique.*.id",
        ),
        ended={f"{_ALERT}.workflow_status": ("closed",)},
    ),
    # microsoft.graph.security.alert (alerts_v2), one or the list that the API answers.
    "defender": Mapping(
        items="value?",
        key=("tenantId?", "id"),
        title="title",
        at="firstActivityDateTime|createdDateTime",
        level="severity?",
        scale=_WORDS_OF_GRAVITY,
        hosts=("evidence.*.deviceDnsName", "evidence.*.hostName", "evidence.*.ipAddress"),
        words=(
            "title",
            "category",
            "categories",
            "mitreTechniques",
            "threatDisplayName",
            "threatFamilyName",
        ),
        ended={"status": ("resolved",)},
    ),
    # The alert action hands over the first row of the result; a search without a name is known by its sid.
    "splunk": Mapping(
        key=("app?", "search_name|sid", "result.dest|result.host?"),
        title="search_name|sid",
        at="result._time?",
        level="result.severity|result.urgency?",
        scale=_WORDS_OF_GRAVITY,
        hosts=("result.dest", "result.dest_host", "result.host", "result.dvc"),
        words=("search_name", "result.*"),
    ),
}
