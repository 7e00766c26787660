"""What numba has no words for: reading a few numbers at once, fetching memory ahead, looking at bits.

`compiled` is made of these; numba keeps its code, and does not see changes here: then delete ``__pycache__``.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# As many channels as one vector register of any processor holds; the voxels of fewer are read with the start
# of their neighbour's, which is thrown away.
LANES = 4

_INDEX, _LANE = ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)
_ANY = ir.Constant(_LANE, ir.Undefined)
_FIRST_LANE = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)


@intrinsic
def blend8(_: Any, voxels: Any, at: Any, apart: Any, beyond: Any, made: Any, put: Any) -> Any:
    """Write to ``made[put : put + 4]`` the blend of the eight neighbours, the first at ``voxels[at]``.

    `apart` says how far apart in memory neighbours along Z, Y and X are (uint32), `beyond` how far beyond
    the lower one the place is (float32, 0 to 1).
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        voxels, at, apart, beyond, made, put = arguments
        source, target = (
            context.make_array(kind)(context, builder, array).data
            for kind, array in ((signature.args[0], voxels), (signature.args[4], made))
        )
        steps = [builder.zext(builder.extract_value(apart, axis), _INDEX) for axis in range(3)]
        weights = []
        for axis in range(3):
            alone = builder.insert_element(_ANY, builder.extract_value(beyond, axis), ir.IntType(32)(0))
            weights.append(builder.shuffle_vector(alone, _ANY, _FIRST_LANE))

        def vector(array: Any, index: Any) -> Any:
            return builder.bitcast(builder.gep(array, [index]), _LANE.as_pointer())

        def blend(first: Any, axes: tuple[int, ...]) -> Any:
            if not axes:
                return builder.load(vector(source, first), align=4)
            lower = blend(first, axes[1:])
            upper = blend(builder.add(first, steps[axes[0]]), axes[1:])
            apart = builder.fsub(upper, lower, flags=("fast",))
            share = builder.fmul(weights[axes[0]], apart, flags=("fast",))
            return builder.fadd(lower, share, flags=("fast",))

        blended = blend(builder.zext(at, _INDEX), (0, 1, 2))
        builder.store(blended, vector(target, builder.zext(put, _INDEX)), align=4)
        return context.get_dummy_value()

    return types.void(voxels, at, apart, beyond, made, put), generate


@intrinsic
def fetch8(_: Any, voxels: Any, at: Any, apart: Any) -> Any:
    """Let the processor fetch the eight neighbours, the first at ``voxels[at]``, while it goes on."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        voxels, at, apart = arguments
        source = context.make_array(signature.args[0])(context, builder, voxels).data
        number, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        along_z, along_y = (builder.zext(builder.extract_value(apart, axis), _INDEX) for axis in (0, 1))
        first = builder.zext(at, _INDEX)
        for place in (first, builder.add(first, along_y)):
            for index in (place, builder.add(place, along_z)):
                pointer = builder.bitcast(builder.gep(source, [index]), byte)
                # To read, to be kept, data.
                builder.call(prefetch, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(voxels, at, apart), generate


def _same_bits(result: types.Type, kind: ir.Type) -> Any:
    """Return a function that takes a number's 32 bits for one of another kind."""

    @intrinsic
    def take(_: Any, value: Any) -> Any:
        def generate(_: Any, builder: ir.IRBuilder, __: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], kind)

        return result(value), generate

    return take


bits_of, number_of = _same_bits(types.int32, ir.IntType(32)), _same_bits(types.float32, ir.FloatType())
