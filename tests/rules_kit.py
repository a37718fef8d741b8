"""Small rule files and the names they may use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from yingda.decide.rules import KnownNames
from yingda.decide.rules.columns import input_columns, output_columns
from yingda.domain.decision import Outcome
from yingda.domain.rules import RuleInput

KNOWN = KnownNames(
    intents={"SHIP": "ORDER", "CANCEL": "ORDER", "STEAL": "ACCOUNT", "RUDE": "COMPLAINT"},
    skills=frozenset({"order", "account", "complaint"}),
    templates=frozenset({"V1.0-物流查询模板"}),
    keywords=frozenset({"投诉", "退款", "发票"}),
    titles={"SHIP": "发货时间", "CANCEL": "取消订单", "STEAL": "账户安全", "RUDE": "投诉客服"},
)
INPUTS, OUTPUTS = tuple(input_columns(KNOWN)), tuple(output_columns(KNOWN))
SEEN = RuleInput(intent="SHIP", category="ORDER", outcome=Outcome.ANSWERED)


def seen(**changes: Any) -> RuleInput:
    """An ordinary question, changed."""
    return replace(SEEN, **changes)


def row(id_: str, cells: Mapping[str, str] | None = None, /, **more: str) -> dict[str, Any]:
    """A rule as the editor writes it."""
    return {"_id": id_, "_description": id_, **dict.fromkeys((*INPUTS, *OUTPUTS), ""), **(cells or {}), **more}


def tree(rows: Sequence[Mapping[str, Any]], **content: Any) -> dict[str, Any]:
    """A rule file as a tree; ``content`` changes fields of the table."""

    def column(field: str) -> dict[str, Any]:
        return {"id": field, "name": field, "field": field, "type": "expression"}

    table: dict[str, Any] = {"hitPolicy": "first", "inputs": [column(f) for f in INPUTS], "outputs": [column(f) for f in OUTPUTS]}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "消息", "position": {"x": 0, "y": 0}, "content": {"schema": ""}},
        {
            "id": "t",
            "type": "decisionTableNode",
            "name": "规则",
            "position": {"x": 9, "y": 0},
            "content": {**table, "rules": rows, **content},
        },
        {"id": "out", "type": "outputNode", "name": "结果", "position": {"x": 20.5, "y": 0}},
    ]
    edges = [
        {"id": "a", "type": "edge", "sourceId": "in", "targetId": "t"},
        {"id": "b", "type": "edge", "sourceId": "t", "targetId": "out", "sourceHandle": None},
    ]
    return {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges}


def written(rows: Sequence[Mapping[str, Any]], **content: Any) -> str:
    """A rule file."""
    return json.dumps(tree(rows, **content), ensure_ascii=False)
