from collections.abc import Callable, Iterator
from typing import Any

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CHUNK = 2000
Row = tuple[Any, ...]
SHOWN = [
    "shown",
    "document__project__task",
    "shown_version_id",
    "document__prediction__version_id",
    "document__prediction__decided",
]


def carry_over(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Write what people, models and LLMs said in the one form of an answer."""
    rewrite = _rewriter(apps, schema_editor)
    # NB: first what was shown, for which the predictions' old columns are looked at.
    for model in ("Card", "Annotation"):
        rewrite(model, SHOWN, ["shown"], lambda *row: [_shown_answer(*row)])
    rewrite("Decision", ["label_ids"], ["answer"], lambda ids: [{"labels": ids}])
    rewrite("Prediction", ["scores", "decided"], ["answer"], lambda *row: [_answer(*row)])
    rewrite(
        "LlmAnswer",
        ["names", "labels"],
        ["reply", "answer"],
        lambda names, ids: [{"labels": names}, {"labels": ids}],
    )


def carry_back(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rewrite = _rewriter(apps, schema_editor)
    for model in ("Card", "Annotation"):
        rewrite(model, ["shown"], ["shown"], lambda answer: [_shown_scores(answer)])
        # Of a suggestion that was there and not shown, the version is known still.
        hidden = apps.get_model("annotate", model).objects.filter(shown__isnull=True)
        hidden.exclude(shown_version=None).update(shown=[])
    rewrite("Decision", ["answer"], ["label_ids"], lambda answer: [answer.get("labels", [])])
    rewrite(
        "Prediction",
        ["answer"],
        ["scores", "decided", "margin"],
        lambda answer: [answer.get("scores", []), answer.get("labels", []), _margin(answer)],
    )
    rewrite(
        "LlmAnswer",
        ["reply", "answer"],
        ["names", "labels"],
        lambda reply, answer: [reply.get("labels", []), answer.get("labels", [])],
    )


def _answer(scores: list[Any] | None, decided: list[int] | None) -> dict[str, Any]:
    return {"labels": decided or []} | ({"scores": scores} if scores else {})


def _shown_answer(
    scores: list[Any] | None, task: str, shown_by: int | None, predicted_by: int | None, decided: Any
) -> dict[str, Any] | None:
    """Return the suggestion with the labels that the page drew from its scores until now."""
    if not scores:
        return None
    if task == "single":
        return _answer(scores, [scores[0][0]])
    if shown_by is not None and shown_by == predicted_by:  # the prediction is still the one that was shown
        return _answer(scores, [label for label, _score in scores if label in (decided or [])])
    return _answer(scores, [label for label, score in scores if score >= 0.5])


def _shown_scores(answer: dict[str, Any] | None) -> list[Any] | None:
    """Return the pairs as they were; a suggestion of an LLM has no scores, and each label was certain."""
    if answer is None:
        return None
    return answer.get("scores") or [[label, 1.0] for label in answer.get("labels", [])]


def _margin(answer: dict[str, Any]) -> float:
    scores = [score for _label, score in answer.get("scores", [])]
    return scores[0] - scores[1] if len(scores) > 1 else 0.0


Rewrite = Callable[[str, list[str], list[str], Callable[..., list[Any]]], None]


def _rewriter(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> Rewrite:
    """Return a function that sets columns of JSON to what `change` makes of others, for all rows of a model."""
    connection = schema_editor.connection
    quote = connection.ops.quote_name

    def as_sql(value: Any) -> Any:
        # A margin is a number of its own; everything else is JSON.
        if value is None or isinstance(value, float):
            return value
        return connection.ops.adapt_json_value(value, None)

    def rewrite(name: str, read: list[str], write: list[str], change: Callable[..., list[Any]]) -> None:
        model = apps.get_model("annotate", name)
        key = quote(model._meta.pk.column)
        columns = ", ".join(f"{quote(column)} = %s" for column in write)
        sql = f"UPDATE {quote(model._meta.db_table)} SET {columns} WHERE {key} = %s"
        rows = model.objects.exclude(shown__isnull=True) if read[0] == "shown" else model.objects.all()
        field = model._meta.pk
        for chunk in _chunks(rows.values_list("pk", *read)):
            values = [
                [*map(as_sql, change(*row)), field.get_db_prep_value(pk, connection)] for pk, *row in chunk
            ]
            with connection.cursor() as cursor:
                cursor.executemany(sql, values)

    return rewrite


def _chunks(rows: Any) -> Iterator[list[Row]]:
    """NB: by key, so that no chunk is slower than the first, and one is in memory at a time."""
    found = list(rows.order_by("pk")[:CHUNK])
    while found:
        yield found
        found = list(rows.order_by("pk").filter(pk__gt=found[-1][0])[:CHUNK])


def removed(model: str, name: str, was: models.Field) -> list[Any]:
    """Drop a column; on the way back its rows have the default until they are filled."""
    told = migrations.AlterField(model_name=model, name=name, field=was)
    return [
        migrations.SeparateDatabaseAndState(state_operations=[told]),
        migrations.RemoveField(model_name=model, name=name),
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0014_bundle_digest"),
    ]

    operations = [
        *(
            migrations.AddField(
                model_name=model,
                name=name,
                field=models.JSONField(default=dict),
                preserve_default=model == "llmanswer",
            )
            for model, name in (
                ("decision", "answer"),
                ("prediction", "answer"),
                ("llmanswer", "reply"),
                ("llmanswer", "answer"),
            )
        ),
        *(
            migrations.AlterField(
                model_name=model,
                name="shown",
                field=models.JSONField(
                    help_text="The suggestion as it was shown; null where none was.", null=True
                ),
            )
            for model in ("annotation", "card")
        ),
        migrations.RunPython(carry_over, carry_back),
        *removed("decision", "label_ids", models.JSONField(default=list)),
        *removed("prediction", "scores", models.JSONField(default=list)),
        *removed("prediction", "decided", models.JSONField(default=list)),
        *removed("prediction", "margin", models.FloatField(default=0.0)),
        *removed("llmanswer", "names", models.JSONField(default=list)),
        *removed("llmanswer", "labels", models.JSONField(default=list)),
    ]
