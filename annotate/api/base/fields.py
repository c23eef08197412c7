"""What requests of several endpoints hold."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class SpanField(serializers.Serializer[Any]):
    """A piece of the text with a label: [start, end) in Unicode code points, as Python counts."""

    start = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    end = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    label = serializers.CharField(max_length=200)  # type: ignore[assignment]
