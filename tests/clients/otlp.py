"""An export of metrics, on stdin, as the protocol's own definitions read it.

otlp.py < REQUEST.json

The parser refuses unknown keys and values of the wrong kind. Ends with 0 if all is as it should be.
"""

import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

request = json_format.Parse(sys.stdin.read(), ExportMetricsServiceRequest(), ignore_unknown_fields=False)
[resource] = request.resource_metrics
names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
assert names["service.name"] == "earwitness" and names["service.instance.id"] == "kitchen-pi", names
[scope] = resource.scope_metrics
metrics = {metric.name: metric for metric in scope.metrics}
assert len(metrics) == len(scope.metrics) == 25, sorted(metrics)

for metric in scope.metrics:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    assert metric.unit and metric.description and data.data_points, metric.name
    if kind != "gauge":
        assert data.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    for point in data.data_points:
        assert 0 < point.start_time_unix_nano <= point.time_unix_nano
        if kind == "histogram":
            assert point.count == sum(point.bucket_counts)
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
            assert list(point.explicit_bounds) == sorted(point.explicit_bounds)
            assert point.min - 1e-9 <= point.sum / point.count <= point.max + 1e-9
        else:
            assert point.WhichOneof("value")

[words] = metrics["speech.words"].sum.data_points
assert words.as_int == 21 and metrics["speech.words"].sum.is_monotonic
[response] = metrics["speech.response.duration"].histogram.data_points
assert response.count == 3 and abs(response.sum - 6.54) < 1e-9
[memory] = metrics["speech.device.memory"].gauge.data_points
assert memory.as_double == 50 << 20
