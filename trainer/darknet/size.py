"""PURE: how many bytes a weights file has, by its cfg.

Each layer's output shape follows from the one before it (or from those it names), and the weights of each from its
input's shape. Source of the rules: darknet's parser and ``save_weights``; they give the published sizes of
yolov4.weights, yolov4.conv.137, yolov4-tiny.weights and yolov4-tiny.conv.29, and those that the original darknet
writes for every cfg that comes with it, recurrent ones aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainer.darknet.cfg import Layer, Network

FLOAT_BYTES = 4
HEADER_BYTES = 20
"""Of a header as all three darknets write it today; older files have 16."""

_SAME_SHAPE = frozenset(
    {
        "activation", "batchnorm", "contrastive", "cost", "detection", "dropout", "empty", "Gaussian_yolo", "iseg",
        "l2norm", "logistic", "normalization", "region", "shortcut", "softmax", "yolo",
    }
)  # fmt: skip


class _Shape(NamedTuple):
    """Width, height and channels of what a layer puts out; also the other way round for its input."""

    width: int
    height: int
    channels: int

    @property
    def numbers(self) -> int:
        return self.width * self.height * self.channels


def weights_size(
    network: Network,
    *,
    header_bytes: int = HEADER_BYTES,
    cutoff: int | None = None,
    flavour: Flavour = Flavour.AX,
) -> int:
    """The size in bytes of a weights file of this network; arguments and errors as ``weight_count``."""
    return header_bytes + FLOAT_BYTES * weight_count(network, cutoff=cutoff, flavour=flavour)


def weight_count(network: Network, *, cutoff: int | None = None, flavour: Flavour = Flavour.AX) -> int:
    """How many numbers a weights file of this network holds after its header.

    Args:
        network: the parsed cfg.
        cutoff: count only the first so many layers, as in ``yolov4.conv.137``.
        flavour: of the darknet that writes; it matters for [batchnorm] and [route] layers alone.

    Raises:
        TreeError: a layer is of a kind whose size is not known, or its options fit no layer.
    """
    shapes: list[_Shape] = []
    before = _input_shape(network)
    count = 0
    for layer in network.layers[:cutoff]:
        count += _weights(layer, before, flavour)
        before = _output(layer, before, shapes, flavour)
        shapes.append(before)
    return count


def _input_shape(network: Network) -> _Shape:
    if network.width and network.height and network.channels:
        return _Shape(network.width, network.height, network.channels)
    inputs = network.net.integer("inputs", 0)
    if inputs < 1:
        raise network.net.wrong(
            "has neither width, height and channels nor inputs",
            hint="Set width=416, height=416 and channels=3, say.",
        )
    return _Shape(1, 1, inputs)


def _positive(layer: Layer, key: str, default: int = 1) -> int:
    value = layer.integer(key, default)
    if value < 1:
        raise layer.wrong(
            f"{key}={value} must be at least 1",
            key,
            hint=f"Set the {key}= of the cfg that yours was made from.",
        )
    return value


def _named(layer: Layer, key: str, shapes: Sequence[_Shape]) -> tuple[_Shape, ...]:
    """The outputs of the layers that an option names, by number or, if negative, by distance back."""
    numbers = [number if number >= 0 else len(shapes) + number for number in layer.integers(key)]
    if not numbers or not all(0 <= number < len(shapes) for number in numbers):
        written = layer.options.get(key, "")
        raise layer.wrong(
            f"{key}={written} names no layer before this one, number {len(shapes)}",
            key,
            hint="Name layers by their numbers from 0, or by how many they are back: -1 is the one before.",
        )
    return tuple(shapes[number] for number in numbers)


# What a layer keeps in the file.


def _weights(layer: Layer, given: _Shape, flavour: Flavour) -> int:
    weigh = _WEIGHTS.get(layer.kind)
    if layer.kind == "batchnorm":
        # The original keeps no biases for it.
        return (3 if flavour is Flavour.PJ else 4) * given.channels
    return weigh(layer, given) if weigh else 0


def _convolutional_weights(layer: Layer, given: _Shape) -> int:
    if "share_index" in layer.options:
        return 0  # uses another layer's
    filters, size = _positive(layer, "filters"), _positive(layer, "size")
    normalized = layer.integer("batch_normalize", 0) or layer.integer("cbn", 0)
    kernel = given.channels // _positive(layer, "groups") * size * size
    return filters * (4 if normalized else 1) + filters * kernel


def _connected_weights(layer: Layer, given: _Shape) -> int:
    output = _positive(layer, "output")
    return output * (4 if layer.integer("batch_normalize", 0) else 1) + output * given.numbers


def _local_weights(layer: Layer, given: _Shape) -> int:
    """A convolution with weights of its own for each place."""
    out, size = _local_output(layer, given), _positive(layer, "size")
    return out.numbers + out.numbers * size * size * given.channels


def _shortcut_weights(layer: Layer, given: _Shape) -> int:
    joined = len(layer.integers("from")) + 1
    kind = layer.options.get("weights_type", "none")
    return {"per_feature": joined, "per_layer": joined, "per_channel": joined * given.channels}.get(kind, 0)


def _implicit_weights(layer: Layer, _: _Shape) -> int:
    return _positive(layer, "filters", 128) * _positive(layer, "atoms")


_WEIGHTS: dict[str, Callable[[Layer, _Shape], int]] = {
    "convolutional": _convolutional_weights,
    "deconvolutional": _convolutional_weights,
    "connected": _connected_weights,
    "local": _local_weights,
    "shortcut": _shortcut_weights,
    "implicit": _implicit_weights,
}


# What a layer hands on.


def _output(layer: Layer, given: _Shape, shapes: Sequence[_Shape], flavour: Flavour) -> _Shape:
    if layer.kind in _SAME_SHAPE:
        return given
    if layer.kind == "route":
        # The original knows no groups, and hands on all that the layers hold.
        return _route_output(layer, shapes, 1 if flavour is Flavour.PJ else _positive(layer, "groups"))
    if layer.kind in {"scale_channels", "sam"}:
        return _named(layer, "from", shapes)[0]
    shape = _OUTPUTS.get(layer.kind)
    if shape is None:
        raise layer.wrong(
            "is a layer whose size in a weights file is not known here",
            hint="See whether its name is spelt right: [convolutional], [maxpool], [route], [yolo], say.",
        )
    return shape(layer, given)


def _strides(layer: Layer) -> tuple[int, int]:
    stride = _positive(layer, "stride")
    return _positive(layer, "stride_x", stride), _positive(layer, "stride_y", stride)


def _convolutional_output(layer: Layer, given: _Shape) -> _Shape:
    size = _positive(layer, "size")
    padding = size // 2 if layer.integer("pad", 0) else layer.integer("padding", 0)
    reach = _positive(layer, "dilation") * (size - 1) + 1
    across, down = _strides(layer)
    return _Shape(
        (given.width + 2 * padding - reach) // across + 1,
        (given.height + 2 * padding - reach) // down + 1,
        _positive(layer, "filters"),
    )


def _deconvolutional_output(layer: Layer, given: _Shape) -> _Shape:
    size, stride = _positive(layer, "size"), _positive(layer, "stride")
    padding = size // 2 if layer.integer("pad", 0) else layer.integer("padding", 0)
    return _Shape(
        (given.width - 1) * stride + size - 2 * padding,
        (given.height - 1) * stride + size - 2 * padding,
        _positive(layer, "filters"),
    )


def _local_output(layer: Layer, given: _Shape) -> _Shape:
    margin = 1 if layer.integer("pad", 0) else _positive(layer, "size")
    stride = _positive(layer, "stride")
    return _Shape(
        (given.width - margin) // stride + 1,
        (given.height - margin) // stride + 1,
        _positive(layer, "filters"),
    )


def _maxpool_output(layer: Layer, given: _Shape) -> _Shape:
    across, down = _strides(layer)
    size = _positive(layer, "size", _positive(layer, "stride"))
    padding = layer.integer("padding", size - 1)
    deep = layer.integer("maxpool_depth", 0)
    return _Shape(
        (given.width + padding - size) // across + 1,
        (given.height + padding - size) // down + 1,
        _positive(layer, "out_channels") if deep else given.channels,
    )


def _route_output(layer: Layer, shapes: Sequence[_Shape], groups: int) -> _Shape:
    joined = _named(layer, "layers", shapes)
    return joined[0]._replace(channels=sum(shape.channels // groups for shape in joined))


def _reorg_output(layer: Layer, given: _Shape) -> _Shape:
    stride = _positive(layer, "stride")
    if layer.integer("flatten", 0):
        return _Shape(1, 1, given.numbers)
    if layer.integer("reverse", 0):
        return _Shape(given.width * stride, given.height * stride, given.channels // stride**2)
    return _Shape(given.width // stride, given.height // stride, given.channels * stride**2)


def _upsample_output(layer: Layer, given: _Shape) -> _Shape:
    stride = layer.integer("stride", 2)
    if stride < 0:
        return given._replace(width=given.width // -stride, height=given.height // -stride)
    return given._replace(width=given.width * stride, height=given.height * stride)


_OUTPUTS: dict[str, Callable[[Layer, _Shape], _Shape]] = {
    "convolutional": _convolutional_output,
    "deconvolutional": _deconvolutional_output,
    "local": _local_output,
    "maxpool": _maxpool_output,
    "local_avgpool": _maxpool_output,
    "avgpool": lambda _, given: _Shape(1, 1, given.channels),
    "reorg": _reorg_output,
    "reorg3d": _reorg_output,
    "upsample": _upsample_output,
    "connected": lambda layer, _: _Shape(1, 1, _positive(layer, "output")),
    "crop": lambda layer, given: _Shape(
        _positive(layer, "crop_width"), _positive(layer, "crop_height"), given.channels
    ),
    "implicit": lambda layer, _: _Shape(1, _positive(layer, "atoms"), _positive(layer, "filters", 128)),
}
