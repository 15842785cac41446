"""Field table of the per-layer messages: what each layer type can be told in a prototxt.

A message is a line of ``name=number:type`` fields; ``*`` after the type marks a repeated field
and ``=value`` a default. Enum values count from 0. Names, numbers
and defaults are those of the public Caffe format (BVLC Caffe 1.0, ``caffe.proto``).
"""

from __future__ import annotations

__all__ = ["LAYER_MESSAGES", "MessageFields", "message"]

MessageFields = tuple[str, dict[str, str]]
"""A message's fields, and its nested enums by name."""


def message(*fields: str, **enums: str) -> MessageFields:
    """Describe one message: lines of fields, and nested enums as ``Name="FIRST SECOND"``."""
    return " ".join(fields), enums


_ENGINE = "DEFAULT CAFFE CUDNN"
_POOL_METHOD = "MAX AVE STOCHASTIC"

_DATA = {
    "DataParameter": message(
        "source=1:string scale=2:float=1 mean_file=3:string batch_size=4:uint32",
        "crop_size=5:uint32=0 mirror=6:bool=false rand_skip=7:uint32=0 backend=8:DB=LEVELDB",
        "force_encoded_color=9:bool=false prefetch=10:uint32=4",
        DB="LEVELDB LMDB",
    ),
    "ImageDataParameter": message(
        "source=1:string scale=2:float=1 mean_file=3:string batch_size=4:uint32=1",
        "crop_size=5:uint32=0 mirror=6:bool=false rand_skip=7:uint32=0 shuffle=8:bool=false",
        "new_height=9:uint32=0 new_width=10:uint32=0 is_color=11:bool=true root_folder=12:string",
    ),
    "InputParameter": message("shape=1:BlobShape*"),
    "MemoryDataParameter": message(
        "batch_size=1:uint32 channels=2:uint32 height=3:uint32 width=4:uint32"
    ),
    "TransformationParameter": message(
        "scale=1:float=1 mirror=2:bool=false crop_size=3:uint32=0 mean_file=4:string",
        "mean_value=5:float* force_color=6:bool=false force_gray=7:bool=false",
    ),
}

_LEARNED = {
    "BatchNormParameter": message(
        "use_global_stats=1:bool moving_average_fraction=2:float=0.999 eps=3:float=1e-5"
    ),
    "BiasParameter": message("axis=1:int32=1 num_axes=2:int32=1 filler=3:FillerParameter"),
    "ConvolutionParameter": message(
        "num_output=1:uint32 bias_term=2:bool=true pad=3:uint32* kernel_size=4:uint32*",
        "group=5:uint32=1 stride=6:uint32* weight_filler=7:FillerParameter",
        "bias_filler=8:FillerParameter pad_h=9:uint32=0 pad_w=10:uint32=0 kernel_h=11:uint32",
        "kernel_w=12:uint32 stride_h=13:uint32 stride_w=14:uint32 engine=15:Engine=DEFAULT",
        "axis=16:int32=1 force_nd_im2col=17:bool=false dilation=18:uint32*",
        Engine=_ENGINE,
    ),
    "FillerParameter": message(
        "type=1:string=constant value=2:float=0 min=3:float=0 max=4:float=1 mean=5:float=0",
        "std=6:float=1 sparse=7:int32=-1 variance_norm=8:VarianceNorm=FAN_IN",
        VarianceNorm="FAN_IN FAN_OUT AVERAGE",
    ),
    "InnerProductParameter": message(
        "num_output=1:uint32 bias_term=2:bool=true weight_filler=3:FillerParameter",
        "bias_filler=4:FillerParameter axis=5:int32=1 transpose=6:bool=false",
    ),
    "PReLUParameter": message("filler=1:FillerParameter channel_shared=2:bool=false"),
    "ScaleParameter": message(
        "axis=1:int32=1 num_axes=2:int32=1 filler=3:FillerParameter bias_term=4:bool=false",
        "bias_filler=5:FillerParameter",
    ),
}

_FIXED = {
    "ConcatParameter": message("concat_dim=1:uint32=1 axis=2:int32=1"),
    "DropoutParameter": message("dropout_ratio=1:float=0.5"),
    "ELUParameter": message("alpha=1:float=1"),
    "EltwiseParameter": message(
        "operation=1:EltwiseOp=SUM coeff=2:float* stable_prod_grad=3:bool=true",
        EltwiseOp="PROD SUM MAX",
    ),
    "FlattenParameter": message("axis=1:int32=1 end_axis=2:int32=-1"),
    "LRNParameter": message(
        "local_size=1:uint32=5 alpha=2:float=1 beta=3:float=0.75",
        "norm_region=4:NormRegion=ACROSS_CHANNELS k=5:float=1 engine=6:Engine=DEFAULT",
        NormRegion="ACROSS_CHANNELS WITHIN_CHANNEL",
        Engine=_ENGINE,
    ),
    "PoolingParameter": message(
        "pool=1:PoolMethod=MAX kernel_size=2:uint32 stride=3:uint32=1 pad=4:uint32=0",
        "kernel_h=5:uint32 kernel_w=6:uint32 stride_h=7:uint32 stride_w=8:uint32",
        "pad_h=9:uint32=0 pad_w=10:uint32=0 engine=11:Engine=DEFAULT",
        "global_pooling=12:bool=false round_mode=13:RoundMode=CEIL",
        PoolMethod=_POOL_METHOD,
        Engine=_ENGINE,
        RoundMode="CEIL FLOOR",
    ),
    "PowerParameter": message("power=1:float=1 scale=2:float=1 shift=3:float=0"),
    "ReLUParameter": message(
        "negative_slope=1:float=0 engine=2:Engine=DEFAULT",
        Engine=_ENGINE,
    ),
    "ReshapeParameter": message("shape=1:BlobShape axis=2:int32=0 num_axes=3:int32=-1"),
    "SigmoidParameter": message("engine=1:Engine=DEFAULT", Engine=_ENGINE),
    "SliceParameter": message("slice_dim=1:uint32=1 slice_point=2:uint32* axis=3:int32=1"),
    "SoftmaxParameter": message("engine=1:Engine=DEFAULT axis=2:int32=1", Engine=_ENGINE),
    "TanHParameter": message("engine=1:Engine=DEFAULT", Engine=_ENGINE),
}

_SCORING = {
    "AccuracyParameter": message("top_k=1:uint32=1 axis=2:int32=1 ignore_label=3:int32"),
    "ArgMaxParameter": message("out_max_val=1:bool=false top_k=2:uint32=1 axis=3:int32"),
    "LossParameter": message(
        "ignore_label=1:int32 normalize=2:bool normalization=3:NormalizationMode=VALID",
        NormalizationMode="FULL VALID BATCH_SIZE NONE",
    ),
}

LAYER_MESSAGES: dict[str, MessageFields] = {**_DATA, **_LEARNED, **_FIXED, **_SCORING}
"""The messages of a layer's own parameters, by name."""
