"""What an event says to whoever reads it, in Japanese and English: what happened, never about whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DRILL = {"ja": "【訓練】", "en": "[DRILL] "}
_KINDS: Mapping[str, tuple[str, str]] = {
    "incident.declared": ("インシデントを宣言", "incident declared"),
    "incident.dismissed": ("インシデントではないと判断", "dismissed as no incident"),
    "incident.cancelled": ("インシデントを取消", "incident cancelled"),
    "incident.merged": ("他のインシデントに統合", "merged into another incident"),
    "incident.resolved": ("インシデントを解決", "incident resolved"),
    "incident.closed": ("インシデントを終結", "incident closed"),
    "incident.reopened": ("インシデントを再開", "incident reopened"),
    "incident.restricted": ("閲覧を制限", "incident restricted"),
    "incident.unrestricted": ("閲覧の制限を解除", "restriction lifted"),
    "severity.set": ("重大度を設定", "severity set"),
    "severity.proposed": ("重大度の変更を提案", "another severity proposed"),
    "phase.opened": ("フェーズを開始", "phase opened"),
    "phase.reopened": ("フェーズを再開", "phase reopened"),
    "phase.ended": ("フェーズを終了", "phase ended"),
    "page.asked": ("担当者を呼出", "somebody is paged"),
    "page.escalated": ("受領がなく、報告ルートの次の段へ", "no acknowledgement: the next level is paged"),
    "page.exhausted": ("どの段でも受領なし", "nobody on any level acknowledged"),
    "page.acknowledged": ("呼出を受領", "page acknowledged"),
    "page.unanswerable": ("呼出先なし", "nobody can be paged"),
    "decision.made": ("判断を記録", "decision made"),
    "decision.withdrawn": ("判断を撤回", "decision withdrawn"),
    "step.ready": ("手順が着手可能", "step ready"),
    "step.started": ("手順に着手", "step started"),
    "step.done": ("手順を完了", "step done"),
    "step.failed": ("手順が失敗", "step failed"),
    "step.unknown": ("手順の結果が不明", "outcome of a step unknown"),
    "step.overdue": ("手順が期限を超過", "step overdue"),
    "gate.held": ("関門で停止", "held by a gate"),
    "gate.passed": ("関門を通過", "gate passed"),
    "gate.overridden": ("関門を例外承認で通過", "gate overridden"),
    "clock.warned": ("時計の期限が接近", "a target comes near"),
    "clock.forecast": ("期限の超過見込みを更新", "forecast of a target changed"),
    "clock.breached": ("時計の期限を超過", "a target is broken"),
    "clock.met": ("期限内に達成", "a target is met"),
    "service.impacted": ("サービスに影響", "service affected"),
    "service.stopped": ("サービスを停止", "service stopped"),
    "service.restored": ("サービスを復旧", "service restored"),
    "service.resumed": ("サービスを再開", "service resumed"),
    "evidence.added": ("証拠を保全", "evidence preserved"),
    "scope.added": ("影響範囲に追加", "scope grew"),
    "obligation.judged": ("報告義務を判定", "obligation judged"),
    "report.submitted": ("当局へ報告書を提出", "report submitted"),
    "situation.reported": ("状況を報告", "situation reported"),
}
_FAMILIES: Mapping[str, tuple[str, str]] = {
    "approval": ("承認の記録", "an approval changed"),
    "clock": ("時計の記録", "a clock changed"),
    "decision": ("判断の記録", "a decision changed"),
    "evidence": ("証拠の記録", "evidence changed"),
    "gate": ("関門の記録", "a gate changed"),
    "message": ("通知の配信を記録", "delivery of a message recorded"),
    "obligation": ("報告義務の記録", "an obligation changed"),
    "outgoing": ("対外文書の記録", "an outgoing message changed"),
    "page": ("呼出の記録", "a page changed"),
    "playbook": ("プレイブックの記録", "a playbook changed"),
    "report": ("報告の記録", "a report changed"),
    "role": ("役割の記録", "a role changed"),
    "scope": ("影響範囲の記録", "the scope changed"),
    "service": ("サービスの記録", "a service changed"),
    "step": ("手順の記録", "a step changed"),
}
_ELSE = ("記録に追加", "added to the record")
PING = ("Hikeshi からの接続確認", "connection test from Hikeshi")


def said(event: Mapping[str, Any]) -> dict[str, str]:
    """One line about an event, by language."""
    found = _KINDS.get(event["type"]) or _FAMILIES.get(event["type"].partition(".")[0], _ELSE)
    return {
        lang: f"{DRILL[lang] if event['drill'] else ''}{event['incident']}: {text}"
        for lang, text in zip(("ja", "en"), found, strict=True)
    }
