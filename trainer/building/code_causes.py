"""PURE: errors of a build that come of the sources, and of the libraries that they are compiled and linked with.

Sources: what gcc 12, nvcc 13.0, GNU Make 4.3 and cmake 3.25 print, seen in 2026; of older ones, what people have posted
to the trackers of the three darknets.
"""

from __future__ import annotations

from trainer.building.cause import known

CUDA = (
    known(
        r"Unsupported gpu architecture '(\w+)'|Value '(sm_\w+|compute_\w+)' is not defined for option",
        "ARCH names {0}{1}, which this CUDA does not compile for: CUDA 11 ended below 3.5, 12 below 5.0, 13 below 7.5, "
        "and none knows GPUs newer than itself.",
        "Let ARCH name this machine's GPU only (trainer build passes that), or take a CUDA that knows the GPU.",
    ),
    known(
        r"nvcc fatal\s*: Unknown option '?([^']+)'?",
        "nvcc is given {0}, an option that it does not have.",
        "Take the option out of ARCH, NVCCFLAGS or the Makefile's line for .cu files.",
    ),
    known(
        r"unsupported GNU version! gcc versions later than (\d+)[\d.]* are not supported",
        "This CUDA takes gcc up to {0}, and the one here is newer.",
        "Install g++-{0} and have nvcc use it (export NVCC_PREPEND_FLAGS='-ccbin g++-{0}'), or take a newer CUDA.",
    ),
    known(
        r"parameter packs not expanded with|identifier \"_Float\d+\w*\" is undefined|\"__Float\w+\" is undefined"
        r"|exception specification is incompatible with that of previous function",
        "The headers of gcc or of the C library are newer than this CUDA understands.",
        "Have nvcc use an older compiler (export NVCC_PREPEND_FLAGS='-ccbin g++-10'), or take a newer CUDA.",
    ),
    known(
        r"error: .*['\"](?:cudaThread(?:Synchronize|Exit)|cudaBindTexture\w*|cudaUnbindTexture|cudaDeviceProp)['\"]"
        r"|identifier \"cudaThread\w+\" is undefined",
        "The sources use a part of CUDA that this version no longer has.",
        "Take a newer darknet (AlexeyAB's or hank-ai's last), or build with an older CUDA.",
    ),
    known(
        r"error: .*cudnnGetConvolution\w+Algorithm\b"
        r"|error: .*CUDNN_CONVOLUTION_\w+_(?:PREFER_FASTEST|SPECIFY_WORKSPACE_LIMIT)",
        "The sources are written for cuDNN 7, as the original's and old copies of AlexeyAB's are; cuDNN 8 took these "
        "functions away.",
        "Take AlexeyAB's darknet as it is today, or build with CUDNN=0.",
    ),
    known(
        r"error: .*(?:['\"](?:__half\w*|half|CUDNN_TENSOR_OP_MATH|CUDNN_DATA_HALF)['\"])",
        "CUDNN_HALF=1 computes with half precision, which this CUDA, or the cuDNN here, does not have.",
        "Build with CUDNN_HALF=0, or with CUDA 9 and cuDNN 7 or newer.",
    ),
    known(
        r"ptxas (?:fatal|error)\s*:|nvlink (?:fatal|error)\s*:|nvcc error\s*: '(\w+)' died",
        "A part of the CUDA toolkit failed: its parts are of different versions, or memory ran out.",
        "Compile one file at a time (make -j1); if that does not help, install the toolkit anew.",
    ),
)

HEADERS = (
    known(
        r"fatal error: '?cudnn\w*\.h'?(?::| file)",
        "CUDNN=1 needs cuDNN's header, and it is not where the compiler looks.",
        "Install cuDNN's development package (apt-get install libcudnn9-dev, or libcudnn8-dev), or build with CUDNN=0.",
    ),
    known(
        r"fatal error: '?/?opencv2/\S+_c\.h'?(?::| file)",
        "The sources use OpenCV's old C functions, as the original's do; OpenCV 4 does not have them where it had.",
        "Build with OPENCV=0, or take AlexeyAB's darknet, which knows OpenCV 4.",
    ),
    known(
        r"fatal error: '?/?(?:opencv2|opencv)/\S+'?(?::| file)|fatal error: '?cv\.h",
        "OPENCV=1 needs OpenCV's development files, and they are not where the compiler looks; pip's opencv-python has "
        "none, and the original darknet does not look for OpenCV 4.",
        "Install them (apt-get install libopencv-dev), or build with OPENCV=0.",
    ),
    known(
        r"fatal error: '?(?:cuda\w*|cublas\w*|curand\w*|crt/\S+|device_launch\w+)\.h'?(?::| file)",
        "GPU=1 needs the headers of CUDA, which the Makefile looks for in /usr/local/cuda/include.",
        "Point /usr/local/cuda to the toolkit (ln -s), name its include folder in CPATH, or build with GPU=0.",
    ),
    known(
        r"fatal error: '?(?:numpy/\S+|[Pp]ython)\.h'?(?::| file)",
        "A file includes Python's headers, and they are not installed.",
        "Install them: apt-get install python3-dev.",
    ),
    known(
        r"fatal error: '?sl/Camera\.hpp|fatal error: '?sl_zed/",
        "ZED_CAMERA=1 needs the SDK of the ZED camera.",
        "Build with ZED_CAMERA=0.",
    ),
    known(
        r"fatal error: '?lib(?:av|sw)\w+/",
        "FFMPEG=1 or STREAM=1 needs FFmpeg's development files.",
        "Build with FFMPEG=0 and STREAM=0.",
    ),
    known(
        r"fatal error: '?(?:stdio|stdlib|math|string|assert|limits|sys/\w+|bits/\S+|features|stdint|unistd)\.h'?"
        r"|fatal error: '?(?:iostream|string|vector|algorithm|cstdlib|cmath)'?(?::| file)",
        "The compiler lacks the headers of the C or C++ library.",
        "Install them: apt-get install build-essential.",
    ),
    known(
        r"fatal error: '?([^':]+)'?(?:: No such file or directory| file not found)",
        "{0} is not where the compiler looks: a file of the tree is missing, or a library's development files are.",
        "Compare the tree with the darknet it is from, and pull or copy again what it lacks.",
    ),
)

SOURCES = (
    known(
        r"error: .*['\"](?:IplImage|Cv[A-Z]\w+|CV_\w+|cv(?:Create|Load|Show|Release|Capture|Set|Get|Wait)\w+)"
        r"['\"]",
        "The sources use OpenCV's old C functions, as the original's do; OpenCV 4 took them away.",
        "Build with OPENCV=0, or take AlexeyAB's darknet, which knows OpenCV 4.",
    ),
    known(
        r"#error \"?(?:OpenCV \S+ requires enabled C\+\+|This file requires compiler and library support"
        r"|C\+\+ versions less than|[^\"]*requires (?:at least )?C\+\+)",
        "A library here wants a newer C++ than the Makefile asks the compiler for, or a file is compiled as C.",
        "Take a newer darknet, or build with OPENCV=0 if it is OpenCV that wants it.",
    ),
    known(
        r"unrecognized command[- ]line option '(-m(?:avx|sse|fpu|arch)\S*)'",
        "{0} is an option for another kind of processor.",
        "Build with AVX=0.",
    ),
    known(
        r"inlining failed in call to .*target specific option mismatch",
        "The sources use instructions of the processor that the compiler was not allowed.",
        "Build with AVX=1 if the processor has AVX2, else look for an older copy of the file.",
    ),
    known(
        r"unsupported option '-fopenmp'|unrecognized command[- ]line option '-fopenmp",
        "The compiler has no OpenMP.",
        "Use g++, or build with OPENMP=0.",
    ),
    known(
        r"conflicting declaration of .* with 'C' linkage",
        "Two headers of the sources contradict each other: the tree is a mixture of two versions of darknet.",
        "Take src/ and include/ of one version, all of them.",
    ),
    known(
        r"'for' loop initial declarations are only allowed in C99",
        "The compiler is too old for these sources.",
        "Use a gcc of version 5 or newer, or build with OPTS='-Ofast -std=gnu99'.",
    ),
)

LINKING = (
    known(
        r"cannot find -lcuda(?!\w)",
        "libcuda.so is of NVIDIA's driver, and no driver is to be seen here: the machine has no GPU, or the container "
        "was started without it.",
        "Choose a machine with a GPU, or let the linker use the toolkit's stand-in "
        "(export LIBRARY_PATH=/usr/local/cuda/lib64/stubs).",
    ),
    known(
        r"cannot find -lcudnn",
        "CUDNN=1 needs libcudnn.so, and it is not where the linker looks.",
        "Install cuDNN's development package (apt-get install libcudnn9-dev, or libcudnn8-dev), or build with CUDNN=0.",
    ),
    known(
        r"cannot find -l(cudart|cublas|cublasLt|curand)(?!\w)",
        "GPU=1 needs lib{0}.so of the CUDA toolkit, which the Makefile looks for in /usr/local/cuda/lib64.",
        "Point /usr/local/cuda to the toolkit (ln -s), or name its lib64 in LIBRARY_PATH.",
    ),
    known(
        r"cannot find -l(opencv_\w+)",
        "OPENCV=1 needs lib{0}.so, and it is not where the linker looks.",
        "Install OpenCV's development files (apt-get install libopencv-dev), or build with OPENCV=0.",
    ),
    known(
        r"cannot find -l(?:gomp|stdc\+\+|m|pthread|gcc\w*|c)(?!\w)",
        "The compiler lacks a library of its own.",
        "Install it: apt-get install build-essential.",
    ),
    known(
        r"cannot find -l(\S+?):?(?:\s|$)",
        "lib{0} is not where the linker looks.",
        "Install its development package, or switch off what needs it.",
    ),
    known(
        r"file in wrong format|[Ff]ile format not recognized|file not recognized|is incompatible with .* output"
        r"|Relocations in generic ELF|error adding symbols: (?:[Ff]ile|[Ww]rong)"
        r"|malformed archive|file truncated",
        "An object file was made on another kind of machine, or is damaged: it came with the tree.",
        "Remove obj/ and the program (make clean GPU=1), and build again.",
    ),
    known(
        r"relocation \S+ against .* can ?not be used when making a|recompile with -fPIC",
        "An object file was made with other options than this program's.",
        "Remove obj/ and the program (make clean GPU=1), and build again.",
    ),
    known(
        r"undefined reference to '_*(?:cu(?:da|blas|rand|dnn)[\w:]*|check_error|cuda_\w+|\w+_gpu)\b",
        "Object files of a build with GPU=1 and of one without are mixed, or the CUDA libraries are not linked.",
        "Remove obj/ and the program (make clean GPU=1), and build again.",
    ),
    known(
        r"undefined reference to '(?:cv::|cv[A-Z])",
        "Object files of a build with OPENCV=1 and of one without are mixed, or OpenCV's version has changed since.",
        "Remove obj/ and the program (make clean), and build again.",
    ),
    known(
        r"undefined reference to '(?:GOMP_|omp_|__kmpc_)",
        "Object files of a build with OPENMP=1 and of one without are mixed, or made by different compilers.",
        "Remove obj/ and the program (make clean GPU=1), and build again.",
    ),
    known(
        r"undefined reference to '\S*@(?:GLIBC|GLIBCXX|CXXABI)_|version '(?:GLIBC|GLIBCXX|CXXABI)_\S+' not found",
        "An object file or library was made on a newer system than this.",
        "Remove obj/ and the program (make clean GPU=1), and build again.",
    ),
    known(
        r"undefined reference to '([^']+)'",
        "{0} is nowhere defined: object files of different builds are mixed, or a source file is missing.",
        "Remove obj/ and the program (make clean GPU=1), and build again; compare src/ with the darknet it is from.",
    ),
    known(
        r"multiple definition of '([^']+)'",
        "{0} is defined twice: old sources with a gcc of version 10 or newer, or object files of different builds.",
        "Remove obj/ and the program (make clean GPU=1), and build again; if it stays, with OPTS='-Ofast -fcommon'.",
    ),
)
