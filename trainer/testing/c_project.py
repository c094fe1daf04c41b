"""A C project of a few lines whose Makefile has the variables of AlexeyAB's darknet, for tests that compile.

    TREE/Makefile          GPU CUDNN CUDNN_HALF OPENCV AVX OPENMP LIBSO DEBUG ARCH EXEC OBJDIR, as theirs
    TREE/src/darknet.h     each object says what it was compiled with, so that one left of another build betrays itself
    TREE/src/darknet.c     `darknet built` prints that; alone it prints its usage, and it holds darknet's loss line
    TREE/src/gemm.c        compiled for either
    TREE/src/blas_kernels.cu      compiled by nvcc, with GPU=1 only

The folder of libraries is found through ``CUDA_HOME``, which the real Makefile does not ask: what is installed here is
not to matter. ``make_cmake_project`` is the same as a project of CMake's with a shared library, as hank-ai's is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = r"""GPU=0
CUDNN=0
CUDNN_HALF=0
OPENCV=0
AVX=0
OPENMP=0
LIBSO=0
DEBUG=0

ARCH= -gencode arch=compute_35,code=sm_35 \
      -gencode arch=compute_50,code=[sm_50,compute_50]

VPATH=./src/
EXEC=darknet
OBJDIR=./obj/
CUDA_HOME?=/usr/local/cuda
CC=cc
NVCC=nvcc
OPTS=-O0
LDFLAGS= -Wl,--no-as-needed
COMMON= -Isrc/
CFLAGS=-Wall -Wfatal-errors -fPIC $(OPTS)

ifeq ($(AVX), 1)
CFLAGS+= -mavx
endif

ifeq ($(OPENCV), 1)
COMMON+= -DOPENCV `pkg-config --cflags opencv4 2> /dev/null || pkg-config --cflags opencv`
LDFLAGS+= `pkg-config --libs opencv4 2> /dev/null || pkg-config --libs opencv`
endif

ifeq ($(OPENMP), 1)
CFLAGS+= -fopenmp
LDFLAGS+= -lgomp
endif

ifeq ($(GPU), 1)
COMMON+= -DGPU -I$(CUDA_HOME)/include/
LDFLAGS+= -L$(CUDA_HOME)/lib64 -Wl,-rpath,$(CUDA_HOME)/lib64 -lcudart -lstdc++
endif

ifeq ($(CUDNN), 1)
COMMON+= -DCUDNN
LDFLAGS+= -lcudnn
endif

ifeq ($(CUDNN_HALF), 1)
COMMON+= -DCUDNN_HALF
ARCH+= -gencode arch=compute_70,code=[sm_70,compute_70]
endif

OBJ=darknet.o gemm.o
ifeq ($(GPU), 1)
OBJ+=blas_kernels.o
endif

OBJS = $(addprefix $(OBJDIR), $(OBJ))
DEPS = $(wildcard src/*.h) Makefile

ifeq ($(LIBSO), 1)
LIBNAMESO=libdarknet.so
endif

all: $(OBJDIR) backup $(EXEC) $(LIBNAMESO)

$(LIBNAMESO): $(OBJS)
	$(CC) -shared $(COMMON) $(CFLAGS) $^ -o $@ $(LDFLAGS)

$(EXEC): $(OBJS)
	$(CC) $(COMMON) $(CFLAGS) $^ -o $@ $(LDFLAGS)

$(OBJDIR)%.o: %.c $(DEPS)
	$(CC) $(COMMON) $(CFLAGS) -c $< -o $@

$(OBJDIR)%.o: %.cu $(DEPS)
	$(NVCC) $(ARCH) $(COMMON) --compiler-options "$(CFLAGS)" -c $< -o $@

$(OBJDIR):
	mkdir -p $(OBJDIR)
backup:
	mkdir -p backup

.PHONY: clean
clean:
	rm -rf $(OBJS) $(EXEC) $(LIBNAMESO)
"""

_HEADER = """\
#ifdef GPU
#define BUILT_GPU " GPU"
#else
#define BUILT_GPU
#endif
#ifdef CUDNN
#define BUILT_CUDNN " CUDNN"
#else
#define BUILT_CUDNN
#endif
#ifdef CUDNN_HALF
#define BUILT_HALF " CUDNN_HALF"
#else
#define BUILT_HALF
#endif
#ifdef OPENCV
#define BUILT_OPENCV " OPENCV"
#else
#define BUILT_OPENCV
#endif
#ifdef _OPENMP
#define BUILT_OPENMP " OPENMP"
#else
#define BUILT_OPENMP
#endif
#ifdef __AVX__
#define BUILT_AVX " AVX"
#else
#define BUILT_AVX
#endif
#define BUILT "" BUILT_GPU BUILT_CUDNN BUILT_HALF BUILT_OPENCV BUILT_OPENMP BUILT_AVX

#ifdef __cplusplus
extern "C" {
#endif
const char *gemm_built(void);
const char *kernels_built(void);
#ifdef __cplusplus
}
#endif
"""

_MAIN = r"""#include <stdio.h>
#include <string.h>
#include "darknet.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s <function>\n", argv[0]);
        return 0;
    }
    if (!strcmp(argv[1], "built")) {
        printf("darknet%s\n", BUILT);
        printf("gemm%s\n", gemm_built());
#ifdef GPU
        printf("kernels%s\n", kernels_built());
#endif
        return 0;
    }
    printf("\n %d: %f, %f avg loss, %f rate, %lf seconds, %d images, %f hours left\n", 1, 1., 1., 1., 1., 64, 1.);
    return 0;
}
"""

_GEMM = """\
#include "darknet.h"
const char *gemm_built(void) { return BUILT; }
"""

_KERNELS = """\
#include "darknet.h"
#ifdef __CUDACC__
__global__ void scale(float *x) { x[threadIdx.x] *= 2; }
#endif
const char *kernels_built(void) { return BUILT; }
"""

_CMAKE = """\
cmake_minimum_required(VERSION 3.18)
project(Darknet LANGUAGES C)
include(CM_dependencies.cmake)
add_library(darknet SHARED src/gemm.c)
add_executable(darknetcli src/darknet.c)
set_target_properties(darknetcli PROPERTIES OUTPUT_NAME "darknet")
target_link_libraries(darknetcli PRIVATE darknet)
"""

_CMAKE_DEPENDENCIES = """\
option(ENABLE_SSE_AND_AVX "Enable AVX and SSE optimizations" OFF)
if (ENABLE_SSE_AND_AVX)
    add_compile_options(-mavx)
endif ()
"""

_HANK_AI = r"""#include <stdio.h>
#include "gemm.h"

int main(void)
{
    printf("Darknet: usage\n%s images, time remaining=\n", gemm_built());
    return 0;
}
"""


def make_c_project(tree: Path) -> Path:
    """Write the project to the folder ``tree``, which is made; returns it."""
    _write(
        tree,
        {
            "Makefile": MAKEFILE,
            "src/darknet.h": _HEADER,
            "src/darknet.c": _MAIN,
            "src/gemm.c": _GEMM,
            "src/blas_kernels.cu": _KERNELS,
        },
    )
    return tree


def make_cmake_project(tree: Path) -> Path:
    """Write the project that CMake builds to the folder ``tree``, which is made; returns it."""
    _write(
        tree,
        {
            "CMakeLists.txt": _CMAKE,
            "CM_dependencies.cmake": _CMAKE_DEPENDENCIES,
            "src/darknet.h": _HEADER,
            "src/gemm.h": "const char *gemm_built(void);\n",
            "src/darknet.c": _HANK_AI,
            "src/gemm.c": _GEMM,
        },
    )
    return tree


def _write(tree: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
