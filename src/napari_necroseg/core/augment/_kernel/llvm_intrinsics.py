"""Adds what numba lacks: reading a few numbers at once, fetching memory ahead, logarithms in vector code.

`engine` is made of these; numba keeps its code, and does not see changes here: then delete ``__pycache__``.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pickle import UnpicklingError
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.caching import FunctionCache
from numba.extending import intrinsic

# As many channels as one vector register of any processor holds; the voxels of fewer are read with the start
# of their neighbour's, which is thrown away.
LANES = 4
_BITS_OF_FRACTION, _EXPONENT_OF_ONE = 23, 127 << 23

# The bits of the root of one half: fractions are counted from it, so that their logarithms are near 0.
_BITS_OF_ROOT_HALF = 0x3F3504F3
_LEAST_EXPONENT = np.float32(-126)
_HALF, _ONE = np.float32(0.5), np.float32(1)

# Coefficients of the two series; written out, since a loop over them would not become vector code.
_LOG_1, _LOG_3, _LOG_5, _LOG_7 = (np.float32(2 / math.log(2) / odd) for odd in (1, 3, 5, 7))
_EXP_1, _EXP_2, _EXP_3, _EXP_4, _EXP_5, _EXP_6 = (
    np.float32(math.log(2) ** order / math.factorial(order)) for order in range(1, 7)
)
_INDEX, _LANE = ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)
_ANY = ir.Constant(_LANE, ir.Undefined)
_FIRST_LANE = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)


class _ForgivingCache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """numba's cache of machine code; a file of it that cannot be read or written is as good as none."""

    def _guard_against_spurious_io_errors(self) -> AbstractContextManager[None]:
        return suppress(OSError, EOFError, UnpicklingError)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, and keep its code on disk where possible.

    Where neither the package's folder nor the user's can be written, each process compiles anew: the torch
    engine would round differently, and a training that goes on there would get other weights.
    """
    dispatcher = numba.njit(nogil=True, error_model="numpy", fastmath=True)(function)
    # numba's own `cache=True` makes this error fatal: it has found no folder that it can write to.
    with suppress(RuntimeError):
        dispatcher._cache = _ForgivingCache(function)
    return dispatcher


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


@compiled
def log2(value: float) -> Any:
    """Logarithm to the base 2 of a positive number: its exponent, and a series of the area tangent."""
    bits = bits_of(value)
    # Each result is said to have 32 bits: numba would go on with 64, at half the speed.
    exponent = np.int32(np.int32(bits - _BITS_OF_ROOT_HALF) >> _BITS_OF_FRACTION)
    # From the root of one half to the root of 2.
    near_one = number_of(np.int32(bits - np.int32(exponent << _BITS_OF_FRACTION)))
    s = (near_one - _ONE) / (near_one + _ONE)
    squared = s * s
    series = _LOG_1 + squared * (_LOG_3 + squared * (_LOG_5 + squared * _LOG_7))
    return np.float32(exponent) + s * series


@compiled
def exp2(value: float) -> Any:
    """Power of 2, to four parts in a million: Taylor's series; what float32 cannot hold is as good as 0."""
    held = value if value > _LEAST_EXPONENT else _LEAST_EXPONENT
    whole = np.floor(held + _HALF)
    e = held - whole
    series = _EXP_2 + e * (_EXP_3 + e * (_EXP_4 + e * (_EXP_5 + e * _EXP_6)))
    near_one = _ONE + e * (_EXP_1 + e * series)
    return near_one * number_of(np.int32(np.int32(np.int32(whole) << _BITS_OF_FRACTION) + _EXPONENT_OF_ONE))
