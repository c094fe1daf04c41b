"""What builds have failed of: outputs of gcc 12, nvcc 13.0, make 4.3 and cmake 3.25, and of what people have posted."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.building.faults import Fault, explain

if TYPE_CHECKING:
    from pathlib import Path

# gcc's quotes, where the language is English and the character set UTF-8.
LEFT, RIGHT = "\u2018", "\u2019"

COMPILE = "gcc -Iinclude/ -DGPU -Wall -Wfatal-errors -c ./src/gemm.c -o obj/gemm.o"
NVCC = 'nvcc -gencode arch=compute_50,code=[sm_50,compute_50] --compiler-options "-Wall" -c ./src/k.cu -o obj/k.o'
FAILED = "make: *** [Makefile:150: obj/gemm.o] Error 1"


def fault_of(text: str) -> Fault:
    return explain(text.splitlines(keepends=True))


@pytest.mark.parametrize(
    ("text", "error", "place", "cause", "remedy"),
    [
        pytest.param(
            f"{NVCC}\nnvcc fatal   : Unsupported gpu architecture 'compute_50'\n"
            "make: *** [Makefile:166: obj/k.o] Error 1\n",
            "nvcc fatal   : Unsupported gpu architecture 'compute_50'",
            "obj/k.o",
            "ARCH names compute_50, which this CUDA does not compile for",
            "Let ARCH name this machine's GPU only",
            id="AlexeyAB's own ARCH on CUDA 13",
        ),
        pytest.param(
            "nvcc fatal   : Unsupported gpu architecture 'compute_75'\n"
            "Makefile:174: recipe for target 'obj/convolutional_kernels.o' failed\n"
            "make: *** [obj/convolutional_kernels.o] Error 1\n",
            "nvcc fatal   : Unsupported gpu architecture 'compute_75'",
            "obj/convolutional_kernels.o",
            "ARCH names compute_75",
            "take a CUDA that knows the GPU",
            id="a GPU newer than CUDA, with an older make",
        ),
        pytest.param(
            "nvcc fatal   : Value 'sm_30' is not defined for option 'gpu-architecture'\n",
            "nvcc fatal   : Value 'sm_30' is not defined for option 'gpu-architecture'",
            "",
            "ARCH names sm_30",
            "Let ARCH name",
            id="as nvcc 11 says it",
        ),
        pytest.param(
            "nvcc fatal   : Unknown option '-Wfoo'\n",
            "nvcc fatal   : Unknown option '-Wfoo'",
            "",
            "nvcc is given -Wfoo",
            "Take the option out",
            id="an option of gcc's",
        ),
        pytest.param(
            "./src/dark_cuda.h:30:10: fatal error: cudnn.h: No such file or directory\n"
            "   30 | #include <cudnn.h>\n      |          ^~~~~~~~~\ncompilation terminated.\n" + FAILED,
            "./src/dark_cuda.h:30:10: fatal error: cudnn.h: No such file or directory",
            "./src/dark_cuda.h:30",
            "CUDNN=1 needs cuDNN's header",
            "libcudnn9-dev",
            id="no cudnn.h",
        ),
        pytest.param(
            "Package opencv was not found in the pkg-config search path.\n"
            "Perhaps you should add the directory containing `opencv.pc'\n"
            "to the PKG_CONFIG_PATH environment variable\nNo package 'opencv' found\n"
            "./src/image_opencv.cpp:5:30: fatal error: opencv2/opencv.hpp: No such file or directory\n"
            "compilation terminated.\nMakefile:86: recipe for target 'obj/image_opencv.o' failed\n",
            "./src/image_opencv.cpp:5:30: fatal error: opencv2/opencv.hpp: No such file or directory",
            "./src/image_opencv.cpp:5",
            "OPENCV=1 needs OpenCV's development files",
            "apt-get install libopencv-dev",
            id="no OpenCV",
        ),
        pytest.param(
            "./src/image_opencv.cpp:16:10: fatal error: 'opencv2/core/version.hpp' file not found\n",
            "./src/image_opencv.cpp:16:10: fatal error: 'opencv2/core/version.hpp' file not found",
            "./src/image_opencv.cpp:16",
            "OPENCV=1 needs OpenCV's development files",
            "build with OPENCV=0",
            id="no OpenCV, as clang says it",
        ),
        pytest.param(
            "In file included from ./src/utils.h:5,\n                 from ./src/gemm.c:2:\n"
            "include/darknet.h:25:14: fatal error: opencv2/highgui/highgui_c.h: No such file or directory\n",
            "include/darknet.h:25:14: fatal error: opencv2/highgui/highgui_c.h: No such file or directory",
            "include/darknet.h:25",
            "OpenCV's old C functions",
            "Build with OPENCV=0",
            id="the original's header with OpenCV 4",
        ),
        pytest.param(
            f"./src/image_opencv.cpp:12:1: error: {LEFT}IplImage{RIGHT} does not name a type; "
            f"did you mean {LEFT}image{RIGHT}?\n"
            " IplImage *image_to_ipl(image im)\n ^~~~~~~~\n image\n",
            f"./src/image_opencv.cpp:12:1: error: {LEFT}IplImage{RIGHT} does not name a type; "
            f"did you mean {LEFT}image{RIGHT}?",
            "./src/image_opencv.cpp:12",
            "OpenCV's old C functions",
            "Build with OPENCV=0",
            id="the original's sources with OpenCV 4",
        ),
        pytest.param(
            "x.cpp:163:54: error: 'CV_LOAD_IMAGE_COLOR' was not declared in this scope\n",
            "x.cpp:163:54: error: 'CV_LOAD_IMAGE_COLOR' was not declared in this scope",
            "x.cpp:163",
            "OpenCV's old C functions",
            "AlexeyAB's darknet",
            id="a constant of OpenCV 3",
        ),
        pytest.param(
            'cvdef.h:704:4: error: #error "OpenCV 4.x+ requires enabled C++11 support"\n',
            'cvdef.h:704:4: error: #error "OpenCV 4.x+ requires enabled C++11 support"',
            "cvdef.h:704",
            "wants a newer C++",
            "OPENCV=0",
            id="OpenCV 4 in a C file",
        ),
        pytest.param(
            f"./src/convolutional_layer.c: In function {LEFT}cudnn_convolutional_setup{RIGHT}:\n"
            "./src/convolutional_layer.c:148:5: warning: implicit declaration of function "
            f"{LEFT}cudnnGetConvolutionForwardAlgorithm{RIGHT} [-Wimplicit-function-declaration]\n"
            "./src/convolutional_layer.c:153:13: error: "
            f"{LEFT}CUDNN_CONVOLUTION_FWD_SPECIFY_WORKSPACE_LIMIT{RIGHT} undeclared\n"
            "compilation terminated due to -Wfatal-errors.\n",
            "./src/convolutional_layer.c:153:13: error: "
            f"{LEFT}CUDNN_CONVOLUTION_FWD_SPECIFY_WORKSPACE_LIMIT{RIGHT} undeclared",
            "./src/convolutional_layer.c:153",
            "written for cuDNN 7",
            "CUDNN=0",
            id="the original with cuDNN 8",
        ),
        pytest.param(
            'conv.cu(178): error: identifier "cudnnGetConvolutionForwardAlgorithm" is undefined\n',
            'conv.cu(178): error: identifier "cudnnGetConvolutionForwardAlgorithm" is undefined',
            "conv.cu:178",
            "written for cuDNN 7",
            "CUDNN=0",
            id="likewise, as nvcc says it",
        ),
        pytest.param(
            'k.cu(12): error: identifier "__half" is undefined\n',
            'k.cu(12): error: identifier "__half" is undefined',
            "k.cu:12",
            "CUDNN_HALF=1 computes with half precision",
            "CUDNN_HALF=0",
            id="half precision",
        ),
        pytest.param(
            'd.cu(2): error: identifier "cudaThreadSynchronize" is undefined\n'
            "  int f(){ cudaThreadSynchronize(); }\n           ^\n",
            'd.cu(2): error: identifier "cudaThreadSynchronize" is undefined',
            "d.cu:2",
            "a part of CUDA that this version no longer has",
            "newer darknet",
            id="a function that CUDA 13 lacks",
        ),
        pytest.param(
            'd.cu(2): error: class "cudaDeviceProp" has no member "clockRate"\n',
            'd.cu(2): error: class "cudaDeviceProp" has no member "clockRate"',
            "d.cu:2",
            "a part of CUDA that this version no longer has",
            "older CUDA",
            id="a property that CUDA 13 lacks",
        ),
        pytest.param(
            "In file included from /usr/local/cuda/include/cuda_runtime.h:78:0,\n"
            "                 from <command-line>:0:\n"
            "/usr/local/cuda/include/host_config.h:115:2: error: #error -- unsupported GNU version! gcc versions "
            "later than 5.3 are not supported!\n",
            "/usr/local/cuda/include/host_config.h:115:2: error: #error -- unsupported GNU version! gcc versions "
            "later than 5.3 are not supported!",
            "/usr/local/cuda/include/host_config.h:115",
            "This CUDA takes gcc up to 5,",
            "-ccbin g++-5'",
            id="gcc is too new for CUDA",
        ),
        pytest.param(
            "/usr/include/c++/11/bits/std_function.h:435:145: error: parameter packs not expanded with '...':\n",
            "/usr/include/c++/11/bits/std_function.h:435:145: error: parameter packs not expanded with '...':",
            "/usr/include/c++/11/bits/std_function.h:435",
            "newer than this CUDA understands",
            "-ccbin",
            id="gcc's headers are too new for CUDA",
        ),
        pytest.param(
            "/bin/sh: 1: nvcc: not found\nMakefile:136: recipe for target 'obj/convolutional_kernels.o' failed\n"
            "make: *** [obj/convolutional_kernels.o] Error 127\n",
            "/bin/sh: 1: nvcc: not found",
            "obj/convolutional_kernels.o",
            "nvcc is not on PATH",
            "/usr/local/cuda/bin",
            id="no nvcc",
        ),
        pytest.param(
            "make: nvcc: No such file or directory\nmake: *** [Makefile:2: all] Error 127\n",
            "make: nvcc: No such file or directory",
            "all",
            "nvcc is not on PATH",
            "GPU=0",
            id="no nvcc, as make says it",
        ),
        pytest.param(
            "make: g++: No such file or directory\n",
            "make: g++: No such file or directory",
            "",
            "The compiler or a tool of its is not installed",
            "build-essential",
            id="no compiler",
        ),
        pytest.param(
            "/bin/sh: 1: pkg-config: not found\n"
            "./src/x.cpp:1:1: fatal error: opencv2/x.hpp: No such file or directory\n",
            "/bin/sh: 1: pkg-config: not found",
            "",
            "pkg-config is not installed",
            "libopencv-dev",
            id="no pkg-config",
        ),
        pytest.param(
            "gcc-99: No such file or directory\nnvcc fatal   : Failed to preprocess host compiler properties.\n",
            "nvcc fatal   : Failed to preprocess host compiler properties.",
            "",
            "nvcc cannot run the C++ compiler",
            "g++",
            id="nvcc without g++",
        ),
        pytest.param(
            "./src/dark_cuda.h:7:10: fatal error: cuda_runtime.h: No such file or directory\n",
            "./src/dark_cuda.h:7:10: fatal error: cuda_runtime.h: No such file or directory",
            "./src/dark_cuda.h:7",
            "GPU=1 needs the headers of CUDA",
            "/usr/local/cuda",
            id="no headers of CUDA",
        ),
        pytest.param(
            "x.c:1:10: fatal error: Python.h: No such file or directory\n",
            "x.c:1:10: fatal error: Python.h: No such file or directory",
            "x.c:1",
            "Python's headers",
            "python3-dev",
            id="no headers of Python",
        ),
        pytest.param(
            "x.c:1:10: fatal error: stdio.h: No such file or directory\n",
            "x.c:1:10: fatal error: stdio.h: No such file or directory",
            "x.c:1",
            "headers of the C or C++ library",
            "build-essential",
            id="no headers of C",
        ),
        pytest.param(
            "./src/a.c:1:10: fatal error: gemm.h: No such file or directory\n",
            "./src/a.c:1:10: fatal error: gemm.h: No such file or directory",
            "./src/a.c:1",
            "gemm.h is not where the compiler looks",
            "Compare the tree",
            id="a header of darknet's own",
        ),
        pytest.param(
            "g++ obj/a.o -o darknet -lcuda -lcudart\n/usr/bin/ld: cannot find -lcuda\n"
            "collect2: error: ld returned 1 exit status\nmake: *** [darknet] Error 1\n",
            "/usr/bin/ld: cannot find -lcuda",
            "darknet",
            "libcuda.so is of NVIDIA's driver",
            "stubs",
            id="no driver",
        ),
        pytest.param(
            "/usr/bin/ld: cannot find -lcudart: No such file or directory\n",
            "/usr/bin/ld: cannot find -lcudart: No such file or directory",
            "",
            "GPU=1 needs libcudart.so",
            "LIBRARY_PATH",
            id="no libraries of CUDA",
        ),
        pytest.param(
            "/usr/bin/ld: cannot find -lcudnn\n",
            "/usr/bin/ld: cannot find -lcudnn",
            "",
            "CUDNN=1 needs libcudnn.so",
            "CUDNN=0",
            id="no library of cuDNN",
        ),
        pytest.param(
            "/usr/bin/ld: cannot find -lopencv_core: No such file or directory\n",
            "/usr/bin/ld: cannot find -lopencv_core: No such file or directory",
            "",
            "OPENCV=1 needs libopencv_core.so",
            "libopencv-dev",
            id="no library of OpenCV",
        ),
        pytest.param(
            "/usr/bin/ld: cannot find -lgomp\n",
            "/usr/bin/ld: cannot find -lgomp",
            "",
            "lacks a library of its own",
            "build-essential",
            id="no library of the compiler's",
        ),
        pytest.param(
            "/usr/bin/ld: cannot find -lsl_zed: No such file or directory\n",
            "/usr/bin/ld: cannot find -lsl_zed: No such file or directory",
            "",
            "libsl_zed is not where the linker looks",
            "switch off",
            id="no library of something else",
        ),
        pytest.param(
            "/usr/bin/ld: obj/blas_kernels.o: in function `fill_gpu':\n"
            "x.cpp:(.text+0x12): undefined reference to `cudaMalloc'\ncollect2: error: ld returned 1 exit status\n"
            "make: *** [Makefile:176: darknet] Error 1\n",
            "x.cpp:(.text+0x12): undefined reference to `cudaMalloc'",
            "darknet",
            "Object files of a build with GPU=1 and of one without are mixed",
            "make clean GPU=1",
            id="objects of a build with a GPU",
        ),
        pytest.param(
            "x.c:(.text+0x4): undefined reference to `forward_maxpool_layer_gpu'\n",
            "x.c:(.text+0x4): undefined reference to `forward_maxpool_layer_gpu'",
            "",
            "Object files of a build with GPU=1 and of one without are mixed",
            "make clean GPU=1",
            id="objects of a build without one",
        ),
        pytest.param(
            "x.cpp:(.text+0xcc5): undefined reference to `__kmpc_fork_call'\n",
            "x.cpp:(.text+0xcc5): undefined reference to `__kmpc_fork_call'",
            "",
            "a build with OPENMP=1",
            "Remove obj/",
            id="objects of a build with OpenMP",
        ),
        pytest.param(
            "x.cpp:(.text+0xcc5): undefined reference to `cv::imread(std::string const&, int)'\n",
            "x.cpp:(.text+0xcc5): undefined reference to `cv::imread(std::string const&, int)'",
            "",
            "OPENCV=1",
            "Remove obj/",
            id="objects of a build with OpenCV",
        ),
        pytest.param(
            "(.text+0x17): undefined reference to `main'\n",
            "(.text+0x17): undefined reference to `main'",
            "",
            "main is nowhere defined",
            "compare src/",
            id="an object that is empty",
        ),
        pytest.param(
            "x.c:(.text+0x17): undefined reference to `__isoc23_strtol@GLIBC_2.38'\n",
            "x.c:(.text+0x17): undefined reference to `__isoc23_strtol@GLIBC_2.38'",
            "",
            "made on a newer system",
            "Remove obj/",
            id="an object of a newer system",
        ),
        pytest.param(
            "obj/arm.o: file not recognized: file format not recognized\ncollect2: error: ld returned 1 exit status\n",
            "obj/arm.o: file not recognized: file format not recognized",
            "",
            "made on another kind of machine",
            "Remove obj/",
            id="an object of another processor",
        ),
        pytest.param(
            "/usr/bin/ld: i386 architecture of input file `obj/m32.o' is incompatible with i386:x86-64 output\n",
            "/usr/bin/ld: i386 architecture of input file `obj/m32.o' is incompatible with i386:x86-64 output",
            "",
            "made on another kind of machine",
            "Remove obj/",
            id="an object of 32 bits",
        ),
        pytest.param(
            "/usr/bin/ld: a.o: relocation R_X86_64_32 against `.rodata' can not be used when making a PIE object; "
            "recompile with -fPIE\n",
            "/usr/bin/ld: a.o: relocation R_X86_64_32 against `.rodata' can not be used when making a PIE object; "
            "recompile with -fPIE",
            "",
            "made with other options",
            "Remove obj/",
            id="an object of another kind of program",
        ),
        pytest.param(
            "/usr/bin/ld: a2.o:(.bss+0x0): multiple definition of `x'; a1.o:(.bss+0x0): first defined here\n",
            "/usr/bin/ld: a2.o:(.bss+0x0): multiple definition of `x'; a1.o:(.bss+0x0): first defined here",
            "",
            "x is defined twice",
            "-fcommon",
            id="old sources and a new gcc",
        ),
        pytest.param(
            "g++: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.\n",
            "g++: fatal error: Killed signal terminated program cc1plus",
            "",
            "ran out of memory",
            "-j1",
            id="out of memory",
        ),
        pytest.param(
            "g++: internal compiler error: Killed (program cc1plus)\n",
            "g++: internal compiler error: Killed (program cc1plus)",
            "",
            "ran out of memory",
            "-j1",
            id="out of memory, as older gcc say it",
        ),
        pytest.param(
            "virtual memory exhausted: Cannot allocate memory\n",
            "virtual memory exhausted: Cannot allocate memory",
            "",
            "ran out of memory",
            "-j1",
            id="out of memory, as the compiler says it",
        ),
        pytest.param(
            "nvcc error   : 'cicc' died due to signal 9 (Kill signal)\n",
            "nvcc error   : 'cicc' died due to signal 9 (Kill signal)",
            "",
            "ran out of memory",
            "-j1",
            id="out of memory, as nvcc says it",
        ),
        pytest.param(
            "nvcc error   : 'ptxas' died due to signal 11 (Invalid memory reference)\n",
            "nvcc error   : 'ptxas' died due to signal 11 (Invalid memory reference)",
            "",
            "A part of the CUDA toolkit failed",
            "-j1",
            id="a part of nvcc crashes",
        ),
        pytest.param(
            "cc9.s: Assembler messages:\n"
            "cc9.s: Fatal error: can't write 11 bytes to section .text of obj/m.o: 'No space left on device'\n",
            "cc9.s: Fatal error: can't write 11 bytes to section .text of obj/m.o: 'No space left on device'",
            "",
            "The disk is full",
            "Make room",
            id="the disk is full",
        ),
        pytest.param(
            "Assembler messages:\nFatal error: can't create obj/m.o: Permission denied\n",
            "Fatal error: can't create obj/m.o: Permission denied",
            "",
            "belongs to another user",
            "chown",
            id="a tree of somebody else's",
        ),
        pytest.param(
            "mkdir: cannot create directory 'obj': Read-only file system\n",
            "mkdir: cannot create directory 'obj': Read-only file system",
            "",
            "cannot be written to",
            "machine's own disk",
            id="a tree that cannot be written to",
        ),
        pytest.param(
            "/bin/sh: 1: ./gen_anchors.sh: Permission denied\nmake: *** [Makefile:2: all] Error 126\n",
            "/bin/sh: 1: ./gen_anchors.sh: Permission denied",
            "all",
            "./gen_anchors.sh may not be run",
            "chmod +x",
            id="a run bit that Drive lost",
        ),
        pytest.param(
            "cc1: error: ./src/gemm.c: Transport endpoint is not connected\n",
            "cc1: error: ./src/gemm.c: Transport endpoint is not connected",
            "",
            "a mount that has gone away",
            "Pull the tree",
            id="the mount is gone",
        ),
        pytest.param(
            "Makefile:2: *** missing separator.  Stop.\n",
            "Makefile:2: *** missing separator.  Stop.",
            "Makefile:2",
            "spaces in place of a tab",
            "Take the Makefile",
            id="a Makefile without tabs",
        ),
        pytest.param(
            "make: *** No rule to make target 'obj/cuda.o', needed by 'darknet'.  Stop.\n",
            "make: *** No rule to make target 'obj/cuda.o', needed by 'darknet'.  Stop.",
            "",
            "cuda.o, or the source that it is made of, is not in the tree",
            "Compare src/",
            id="a source is missing",
        ),
        pytest.param(
            "make: *** No targets specified and no makefile found.  Stop.\n",
            "make: *** No targets specified and no makefile found.  Stop.",
            "",
            "no Makefile",
            "src/",
            id="the Makefile is missing",
        ),
        pytest.param(
            "chmod +x *.sh\nchmod: cannot access '*.sh': No such file or directory\n"
            "make: *** [Makefile:184: setchmod] Error 1\n",
            "chmod: cannot access '*.sh': No such file or directory",
            "setchmod",
            "holds none",
            "touch build.sh",
            id="no scripts in the tree",
        ),
        pytest.param(
            "gcc: error: unrecognized command-line option '-mavx2'\n",
            "gcc: error: unrecognized command-line option '-mavx2'",
            "",
            "-mavx2 is an option for another kind of processor",
            "AVX=0",
            id="AVX on another processor",
        ),
        pytest.param(
            "/usr/lib/gcc/avxintrin.h:147:1: error: inlining failed in call to 'always_inline' '_mm256_add_ps': "
            "target specific option mismatch\n",
            "/usr/lib/gcc/avxintrin.h:147:1: error: inlining failed in call to 'always_inline' '_mm256_add_ps': "
            "target specific option mismatch",
            "/usr/lib/gcc/avxintrin.h:147",
            "the compiler was not allowed",
            "AVX=1",
            id="AVX in the sources only",
        ),
        pytest.param(
            "./src/dark_cuda.h:70:10: error: conflicting declaration of "
            f"{LEFT}int* cuda_make_int_array(int*, size_t){RIGHT} "
            f"with {LEFT}C{RIGHT} linkage\n",
            "./src/dark_cuda.h:70:10: error: conflicting declaration of "
            f"{LEFT}int* cuda_make_int_array(int*, size_t){RIGHT} "
            f"with {LEFT}C{RIGHT} linkage",
            "./src/dark_cuda.h:70",
            "a mixture of two versions",
            "one version",
            id="two versions of darknet in one tree",
        ),
    ],
)
def test_a_known_error_is_explained(text: str, error: str, place: str, cause: str, remedy: str) -> None:
    fault = fault_of(text)
    assert (fault.error, fault.place) == (error, place)
    assert cause in fault.cause
    assert remedy in fault.remedy
    assert error in fault.context


CONFIGURED = "-- The CXX compiler identification is GNU 12.2.0\n-- Detecting CXX compile features - done\n"
INCOMPLETE = "\n\n-- Configuring incomplete, errors occurred!\n"


@pytest.mark.parametrize(
    ("text", "error", "place", "cause"),
    [
        pytest.param(
            "CMake Error at CMakeLists.txt:8 (CMAKE_MINIMUM_REQUIRED):\n"
            "  CMake 3.24 or higher is required.  You are running version 3.22.1\n",
            "CMake Error at CMakeLists.txt:8 (CMAKE_MINIMUM_REQUIRED): CMake 3.24 or higher is required. "
            "You are running version 3.22.1",
            "CMakeLists.txt:8",
            "This darknet wants cmake 3.24, and here is 3.22.1.",
            id="cmake is too old",
        ),
        pytest.param(
            "CMake Error at CMakeLists.txt:1 (cmake_minimum_required):\n"
            "  Compatibility with CMake < 3.5 has been removed from CMake.\n",
            "CMake Error at CMakeLists.txt:1 (cmake_minimum_required): "
            "Compatibility with CMake < 3.5 has been removed from CMake.",
            "CMakeLists.txt:1",
            "The sources are older than this cmake takes.",
            id="cmake is too new",
        ),
        pytest.param(
            "CMake Error at CM_dependencies.cmake:126 (FIND_PACKAGE):\n"
            '  By not providing "FindOpenCV.cmake" in CMAKE_MODULE_PATH this project has\n'
            '  asked CMake to find a package configuration file provided by "OpenCV", but\n'
            "  CMake did not find one.\n\n"
            '  Could not find a package configuration file provided by "OpenCV" with any\n'
            "  of the following names:\n\n    OpenCVConfig.cmake\n",
            'CMake Error at CM_dependencies.cmake:126 (FIND_PACKAGE): By not providing "FindOpenCV.cmake" in '
            "CMAKE_MODULE_PATH this project has asked CMake to find a package configuration file provided by "
            '"OpenCV", but CMake did not find one.',
            "CM_dependencies.cmake:126",
            "OpenCV's development files are not installed.",
            id="no OpenCV",
        ),
        pytest.param(
            "CMake Error at /usr/share/cmake-3.25/Modules/CMakeDetermineCUDACompiler.cmake:277 (message):\n"
            "  CMAKE_CUDA_ARCHITECTURES must be non-empty if set.\nCall Stack (most recent call first):\n"
            "  CMakeLists.txt:2 (PROJECT)\n",
            "CMake Error at /usr/share/cmake-3.25/Modules/CMakeDetermineCUDACompiler.cmake:277 (message): "
            "CMAKE_CUDA_ARCHITECTURES must be non-empty if set.",
            "/usr/share/cmake-3.25/Modules/CMakeDetermineCUDACompiler.cmake:277",
            "cmake does not know what GPU to compile for",
            id="no architecture",
        ),
        pytest.param(
            'CMake Error in CMakeLists.txt:\n  CUDA_ARCHITECTURES is set to "native", but no GPU was detected.\n',
            'CMake Error in CMakeLists.txt: CUDA_ARCHITECTURES is set to "native", but no GPU was detected.',
            "",
            "cmake does not know what GPU to compile for",
            id="no GPU",
        ),
        pytest.param(
            "CMake Error at CMakeLists.txt:2 (PROJECT):\n  No CMAKE_CUDA_COMPILER could be found.\n\n"
            "  Tell CMake where to find the compiler by setting either the environment\n",
            "CMake Error at CMakeLists.txt:2 (PROJECT): No CMAKE_CUDA_COMPILER could be found.",
            "CMakeLists.txt:2",
            "cmake does not find nvcc.",
            id="no nvcc",
        ),
        pytest.param(
            "CMake Error at /usr/share/cmake-3.25/Modules/CMakeDetermineCXXCompiler.cmake:48 (message):\n"
            "  Could not find compiler set in environment variable CXX:\n\n  nog++.\n",
            "CMake Error at /usr/share/cmake-3.25/Modules/CMakeDetermineCXXCompiler.cmake:48 (message): "
            "Could not find compiler set in environment variable CXX:",
            "/usr/share/cmake-3.25/Modules/CMakeDetermineCXXCompiler.cmake:48",
            "cmake does not find a C++ compiler.",
            id="no compiler",
        ),
        pytest.param(
            "CMake Error: The current CMakeCache.txt directory /a/CMakeCache.txt is different than the directory "
            "/b where CMakeCache.txt was created.\n",
            "CMake Error: The current CMakeCache.txt directory /a/CMakeCache.txt is different than the directory "
            "/b where CMakeCache.txt was created.",
            "",
            "build/ was made in another place: it came with the tree.",
            id="build/ from elsewhere",
        ),
        pytest.param(
            "CMake Error at /usr/share/cmake-3.25/Modules/CMakeTestCUDACompiler.cmake:103 (message):\n"
            '  The CUDA compiler\n\n    "/usr/local/bin/nvcc"\n\n  is not able to compile a simple test program.\n\n'
            "  It fails with the following output:\n\n    Change Dir: /tmp/x\n    \n"
            "    nvcc fatal   : Unsupported gpu architecture 'compute_50'\n"
            "    gmake[1]: *** [CMakeFiles/cmTC_26ca6.dir/build.make:79: main.cu.o] Error 1\n",
            "CMake Error at /usr/share/cmake-3.25/Modules/CMakeTestCUDACompiler.cmake:103 (message): "
            "The CUDA compiler",
            "/usr/share/cmake-3.25/Modules/CMakeTestCUDACompiler.cmake:103",
            "ARCH names compute_50",
            id="a test of nvcc fails, and why stands below",
        ),
        pytest.param(
            "CMake Error at CMakeLists.txt:30 (message):\n  Something nobody has heard of.\n",
            "CMake Error at CMakeLists.txt:30 (message): Something nobody has heard of.",
            "CMakeLists.txt:30",
            "",
            id="anything else",
        ),
    ],
)
def test_what_cmake_says_in_several_lines_is_one_error(text: str, error: str, place: str, cause: str) -> None:
    fault = fault_of(CONFIGURED + text + INCOMPLETE)
    assert (fault.error, fault.place) == (error, place)
    assert fault.cause.startswith(cause)
    assert bool(fault.cause) is bool(cause)


UNKNOWN = "./src/box.c: In function 'f':\n./src/box.c:7:17: error: 'nonsense' undeclared (first use in this function)\n"


def test_an_unknown_error_is_shown_with_what_stands_around_it() -> None:
    fault = fault_of(f"{COMPILE}\n{UNKNOWN}    7 | int f(){{ return nonsense; }}\n{COMPILE}\n{FAILED}\n")
    assert fault.error == "./src/box.c:7:17: error: 'nonsense' undeclared (first use in this function)"
    assert fault.context == (*UNKNOWN.splitlines(), "    7 | int f(){ return nonsense; }", FAILED)
    assert fault.place == "./src/box.c:7"
    assert (fault.cause, fault.remedy) == ("", "")


def test_of_several_errors_the_first_counts() -> None:
    known = "/usr/bin/ld: cannot find -lcuda\n"
    assert fault_of(UNKNOWN + known).place == "./src/box.c:7"
    assert "libcuda" in fault_of(known + UNKNOWN).cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        pytest.param(
            "./src/a.c:1:1: warning: 'error: cannot find -lcuda' is a string\n",
            "",
            id="a warning may quote errors",
        ),
        pytest.param(
            "CMake Warning at CM_dependencies.cmake:47 (MESSAGE):\n  CUDA not found.\n", "", id="cmake's"
        ),
        pytest.param("nvcc warning : Cannot find valid GPU for '-arch=native'\n", "", id="nvcc's"),
        pytest.param("./src/a.c:1:1: note: error: is a word\n", "", id="a note"),
        pytest.param(COMPILE.replace("-DGPU", "-DX='error: cannot find -lcuda'"), "", id="a command"),
        pytest.param(
            "make: warning:  Clock skew detected.  Your build may be incomplete.\n",
            "dated later",
            id="clocks",
        ),
        pytest.param("No package 'opencv' found\n", "pkg-config does not know opencv:", id="a package"),
        pytest.param("make: *** [Makefile:150: obj/gemm.o] Interrupt\n", "stopped from outside", id="Ctrl-C"),
        pytest.param("make: *** [Makefile:150: obj/gemm.o] Killed\n", "was killed", id="killed"),
    ],
)
def test_what_may_be_harmless_counts_only_where_nothing_is_worse(text: str, cause: str) -> None:
    assert cause in fault_of(text).cause
    assert bool(fault_of(text).cause) is bool(cause)
    assert fault_of(text + UNKNOWN).place == "./src/box.c:7"


def test_where_only_make_says_that_something_failed_its_line_is_shown() -> None:
    fault = fault_of(f"{COMPILE}\nsomething odd\n{FAILED}\n")
    assert (fault.error, fault.place, fault.cause) == (FAILED, "obj/gemm.o", "")
    assert "something odd" in fault.context


def test_where_nothing_says_so_the_last_lines_are_shown() -> None:
    assert fault_of("one\n\ntwo\n") == Fault("", ("one", "two"))
    assert explain([]) == Fault("")


def test_lines_of_any_length_are_gone_through_at_once() -> None:
    long = ["x" * 100_000, "error: '" * 20_000, f"g++ {'obj/a.o ' * 1_000} -o darknet"]
    fault = explain([*long[::2], "x" * 100_000 + ": Permission denied", long[1]])
    assert fault.error == long[1][:2000].strip()
    assert "g++" not in "".join(fault.context)


@settings(max_examples=100)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(":()*[]'{}\\ "), max_size=40))
)
def test_no_output_is_an_error_of_its_own(lines: list[str]) -> None:
    fault = explain(lines)
    assert fault.error == "" or any(
        fault.error in " ".join(line.split()) or fault.error in line for line in lines
    )


@pytest.mark.parametrize(
    ("files", "place", "cause"),
    [
        pytest.param({"a.c": "#include <cudnn.h>\n"}, "a.c:1", "cuDNN's header", id="a header"),
        pytest.param({"a.c": "int main(void) { return nonsense; }\n"}, "a.c:1", "", id="an unknown error"),
        pytest.param(
            {"a.c": "int f(void);\nint main(void) { return f(); }\n"}, "darknet", "f is nowhere", id="linking"
        ),
        pytest.param({}, "", "is not in the tree", id="a source"),
        pytest.param({"a.c": "", "a.o": "junk"}, "darknet", "another kind of machine", id="an object"),
    ],
)
def test_what_make_and_gcc_print_here(files: dict[str, str], place: str, cause: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("darknet: a.o\n\tgcc $^ -o $@\n%.o: %.c\n\tgcc -c $< -o $@\n")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    made = subprocess.run(
        ["make"],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert made.returncode == 2
    fault = explain(made.stdout.splitlines())
    assert fault.place == place
    assert cause in fault.cause
    assert bool(fault.cause) is bool(cause)
