"""Field table of the messages that hold networks, layers, solvers, blobs and records.

Written as :mod:`edgeage.caffe.layerfields` is. Two things differ from the published text of the
format and not from its bytes: ``BlobProto`` takes its packed numbers as byte strings, so that
numpy reads them in one piece, and ``BlobNumbers`` is the same message with the numbers as
numbers, for the rare file that stores them unpacked.
"""

from __future__ import annotations

from edgeage.caffe.layerfields import MessageFields, message

__all__ = ["NET_ENUMS", "NET_MESSAGES"]

NET_ENUMS = {"Phase": "TRAIN TEST"}
"""Enums outside every message, by name."""

_BLOBS = {
    "BlobShape": message("dim=1:int64*packed"),
    "BlobProto": message(
        "num=1:int32=0 channels=2:int32=0 height=3:int32=0 width=4:int32=0",
        "data=5:bytes* diff=6:bytes* shape=7:BlobShape double_data=8:bytes* double_diff=9:bytes*",
    ),
    "BlobNumbers": message("data=5:float*packed double_data=8:double*packed"),
    "Datum": message(
        "channels=1:int32 height=2:int32 width=3:int32 data=4:bytes label=5:int32",
        "float_data=6:float* encoded=7:bool=false",
    ),
}

_NETS = {
    "NetParameter": message(
        "name=1:string layers=2:V1LayerParameter* input=3:string* input_dim=4:int32*",
        "force_backward=5:bool=false state=6:NetState debug_info=7:bool=false",
        "input_shape=8:BlobShape* layer=100:LayerParameter*",
    ),
    "NetState": message("phase=1:Phase=TEST level=2:int32=0 stage=3:string*"),
    "NetStateRule": message(
        "phase=1:Phase min_level=2:int32 max_level=3:int32 stage=4:string* not_stage=5:string*"
    ),
    "ParamSpec": message(
        "name=1:string share_mode=2:DimCheckMode lr_mult=3:float=1 decay_mult=4:float=1",
        DimCheckMode="STRICT PERMISSIVE",
    ),
    "SolverParameter": message(
        "train_net=1:string test_net=2:string* test_iter=3:int32* test_interval=4:int32=0",
        "base_lr=5:float display=6:int32 max_iter=7:int32 lr_policy=8:string gamma=9:float",
        "power=10:float momentum=11:float weight_decay=12:float stepsize=13:int32",
        "snapshot=14:int32=0 snapshot_prefix=15:string snapshot_diff=16:bool=false",
        "solver_mode=17:SolverMode=GPU device_id=18:int32=0 test_compute_loss=19:bool=false",
        "random_seed=20:int64=-1 train_net_param=21:NetParameter test_net_param=22:NetParameter*",
        "debug_info=23:bool=false net=24:string net_param=25:NetParameter train_state=26:NetState",
        "test_state=27:NetState* snapshot_after_train=28:bool=true",
        "regularization_type=29:string=L2 solver_type=30:SolverType=SGD delta=31:float=1e-8",
        "test_initialization=32:bool=true average_loss=33:int32=1 stepvalue=34:int32*",
        "clip_gradients=35:float=-1 iter_size=36:int32=1",
        "snapshot_format=37:SnapshotFormat=BINARYPROTO rms_decay=38:float=0.99",
        "momentum2=39:float=0.999 type=40:string=SGD layer_wise_reduce=41:bool=true",
        "weights=42:string*",
        SnapshotFormat="HDF5 BINARYPROTO",
        SolverMode="CPU GPU",
        SolverType="SGD NESTEROV ADAGRAD RMSPROP ADADELTA ADAM",
    ),
    "SolverState": message(
        "iter=1:int32 learned_net=2:string history=3:BlobProto* current_step=4:int32=0"
    ),
}

_LAYERS = {
    "LayerParameter": message(
        "name=1:string type=2:string bottom=3:string* top=4:string* loss_weight=5:float*",
        "param=6:ParamSpec* blobs=7:BlobProto* include=8:NetStateRule* exclude=9:NetStateRule*",
        "phase=10:Phase propagate_down=11:bool*",
        "transform_param=100:TransformationParameter loss_param=101:LossParameter",
        "accuracy_param=102:AccuracyParameter argmax_param=103:ArgMaxParameter",
        "concat_param=104:ConcatParameter convolution_param=106:ConvolutionParameter",
        "data_param=107:DataParameter dropout_param=108:DropoutParameter",
        "eltwise_param=110:EltwiseParameter image_data_param=115:ImageDataParameter",
        "inner_product_param=117:InnerProductParameter lrn_param=118:LRNParameter",
        "memory_data_param=119:MemoryDataParameter pooling_param=121:PoolingParameter",
        "power_param=122:PowerParameter relu_param=123:ReLUParameter",
        "sigmoid_param=124:SigmoidParameter softmax_param=125:SoftmaxParameter",
        "slice_param=126:SliceParameter tanh_param=127:TanHParameter",
        "prelu_param=131:PReLUParameter reshape_param=133:ReshapeParameter",
        "flatten_param=135:FlattenParameter batch_norm_param=139:BatchNormParameter",
        "elu_param=140:ELUParameter bias_param=141:BiasParameter scale_param=142:ScaleParameter",
        "input_param=143:InputParameter",
    ),
    "V1LayerParameter": message(
        "bottom=2:string* top=3:string* name=4:string type=5:LayerType blobs=6:BlobProto*",
        "blobs_lr=7:float* weight_decay=8:float* concat_param=9:ConcatParameter",
        "convolution_param=10:ConvolutionParameter data_param=11:DataParameter",
        "dropout_param=12:DropoutParameter image_data_param=15:ImageDataParameter",
        "inner_product_param=17:InnerProductParameter lrn_param=18:LRNParameter",
        "pooling_param=19:PoolingParameter power_param=21:PowerParameter",
        "memory_data_param=22:MemoryDataParameter argmax_param=23:ArgMaxParameter",
        "eltwise_param=24:EltwiseParameter accuracy_param=27:AccuracyParameter",
        "relu_param=30:ReLUParameter slice_param=31:SliceParameter include=32:NetStateRule*",
        "exclude=33:NetStateRule* loss_weight=35:float*",
        "transform_param=36:TransformationParameter tanh_param=37:TanHParameter",
        "sigmoid_param=38:SigmoidParameter softmax_param=39:SoftmaxParameter",
        "loss_param=42:LossParameter param=1001:string* blob_share_mode=1002:DimCheckMode*",
        DimCheckMode="STRICT PERMISSIVE",
        LayerType=(
            "NONE ACCURACY BNLL CONCAT CONVOLUTION DATA DROPOUT EUCLIDEAN_LOSS FLATTEN HDF5_DATA "
            "HDF5_OUTPUT IM2COL IMAGE_DATA INFOGAIN_LOSS INNER_PRODUCT LRN "
            "MULTINOMIAL_LOGISTIC_LOSS POOLING RELU SIGMOID SOFTMAX SOFTMAX_LOSS SPLIT TANH "
            "WINDOW_DATA ELTWISE POWER SIGMOID_CROSS_ENTROPY_LOSS HINGE_LOSS MEMORY_DATA ARGMAX "
            "THRESHOLD DUMMY_DATA SLICE MVN ABSVAL SILENCE CONTRASTIVE_LOSS EXP DECONVOLUTION"
        ),
    ),
}

NET_MESSAGES: dict[str, MessageFields] = {**_BLOBS, **_NETS, **_LAYERS}
"""The messages of networks, layers, solvers, blobs and records, by name."""
