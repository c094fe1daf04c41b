"""PURE: errors of a build that come of the machine, of programs that lack, of make and of cmake.

Sources: what gcc 12, nvcc 13.0, GNU Make 4.3 and cmake 3.25 print, seen in 2026; of older ones, what people have posted
to the trackers of the three darknets.
"""

from __future__ import annotations

from trainer.building.cause import known

RESOURCES = (
    known(
        r"No space left on device|Disk quota exceeded",
        "The disk is full.",
        "Make room (df -h shows where), also in /tmp, where the compilers keep their intermediate files.",
    ),
    known(
        r"Killed signal terminated program (\w+)|internal compiler error: Killed \(program (\w+)\)"
        r"|\b(?:g\+\+|gcc|c\+\+|cc): (?:internal compiler error|fatal error): Killed|died due to signal 9"
        r"|virtual memory exhausted|out of memory allocating|Cannot allocate memory|ld terminated with signal 9",
        "The machine ran out of memory, and the compiler was ended for it.",
        "Compile fewer files at once (make -j1), or end what else takes memory.",
    ),
    known(
        r"Read-only file system",
        "The folder cannot be written to.",
        "Copy the tree to the machine's own disk (/content in Colab), and build there.",
    ),
    known(
        r"Transport endpoint is not connected|Stale file handle|Input/output error",
        "The tree is on a mount that has gone away, as Google Drive's does.",
        "Pull the tree to the machine's own disk, and build there.",
    ),
)
"""What every program may end of."""

REFUSED = (
    known(
        r"(?:can't create|cannot create|cannot open output file|ould not open output file|cannot touch"
        r"|opening dependency file|changing permissions of) .*(?:Permission denied|Operation not permitted)",
        "The tree, or obj/ in it, belongs to another user, or lies on a mount that takes no files.",
        "Make it yours (chown -R), or pull the tree to a folder of your own.",
    ),
    known(
        r"(?<!\S)(\S+): Permission denied$",
        "{0} may not be run or written: Drive and archives keep no run bits, and a tree may belong to another user.",
        "Give it what it lacks (chmod +x for a program or a script), or make the tree yours.",
    ),
)
"""Likewise; their words are found in other errors, too, so they come last."""

PROGRAMS = (
    known(
        r"\bnvcc: (?:command )?not found|\bnvcc: No such file",
        "nvcc is not on PATH, or the CUDA toolkit is not installed.",
        "Put its folder on PATH (export PATH=/usr/local/cuda/bin:$PATH), install the toolkit, or build with GPU=0.",
    ),
    known(
        r"\bpkg-config: (?:command )?not found",
        "OPENCV=1 asks pkg-config where OpenCV is, and pkg-config is not installed.",
        "Install both (apt-get install pkg-config libopencv-dev), or build with OPENCV=0.",
    ),
    known(
        r"\b(gcc|g\+\+|cc|c\+\+|make|gmake|cmake|ar|ld): (?:command )?not found"
        r"|make(?:\[\d+\])?: (\S*(?:gcc|g\+\+|c\+\+)\S*): No such file|cannot execute '?(cc1|cc1plus)'?",
        "The compiler or a tool of its is not installed.",
        "Install them: apt-get install build-essential (and cmake, for hank-ai's darknet).",
    ),
    known(
        r"Failed to preprocess host compiler properties|nvcc fatal\s*: Host compiler targets unsupported OS"
        r"|nvcc fatal\s*: No input files",
        "nvcc cannot run the C++ compiler that it leaves half of its work to.",
        "Install g++ (apt-get install build-essential), and see that nvcc's -ccbin, if you give it, names one.",
    ),
)

MAKE = (
    known(
        r"\*\*\* missing separator",
        "A command in the Makefile begins with spaces in place of a tab, or a line was broken: an editor or a web page "
        "has changed it.",
        "Take the Makefile from the darknet again.",
    ),
    known(
        r"\*\*\* No rule to make target '(?:\S*/)?([^']+)', needed by",
        "{0}, or the source that it is made of, is not in the tree, or the Makefile is of another version of darknet.",
        "Compare src/ with the darknet it is from, and pull or copy again what is missing.",
    ),
    known(
        r"\*\*\* No targets specified and no makefile found|\*\*\* No rule to make target",
        "There is no Makefile here, or it is another one.",
        "See that the tree holds darknet's sources: Makefile, src/ and include/.",
    ),
    known(
        r"chmod: cannot access '\*\.sh'",
        "The Makefile sets the run bit of the tree's *.sh files, and the tree holds none.",
        "Put one there: touch build.sh.",
    ),
    known(
        r"\\r': (?:command )?not found|\^M: bad interpreter|\$'\\r'",
        "A script has the line ends of Windows.",
        "Mend them: sed -i 's/\\r$//' on the file that is named.",
    ),
)

CMAKE = (
    known(
        r"CMake (\d[\d.]*) or higher is required\. +You are running version (\d[\d.]*)",
        "This darknet wants cmake {0}, and here is {1}.",
        "Install a newer one: pip install cmake.",
    ),
    known(
        r"Compatibility with CMake < [\d.]+ has been removed",
        "The sources are older than this cmake takes.",
        "Install an older one (pip install 'cmake<4'), or take a newer darknet.",
    ),
    known(
        r"provided by \"OpenCV\"|Could NOT find OpenCV",
        "OpenCV's development files are not installed.",
        "Install them: apt-get install libopencv-dev.",
    ),
    known(
        r"Could NOT find CUDNN",
        "cuDNN's development files are not where cmake looks.",
        "Install them (apt-get install libcudnn9-dev, or libcudnn8-dev), or build without cuDNN.",
    ),
    known(
        r"CMAKE_CUDA_ARCHITECTURES must be non-empty|CUDA_ARCHITECTURES is empty for target"
        r"|Failed to detect a default CUDA architecture|CUDA_ARCHITECTURES is set to \"native\", but no",
        "cmake does not know what GPU to compile for: none is to be seen, or nvcc does not run.",
        "Name its compute capability (-DCMAKE_CUDA_ARCHITECTURES=75), and see that nvcc --version works.",
    ),
    known(
        r"No CMAKE_CUDA_COMPILER could be found|CUDA not found, please build explicitly"
        r"|(?:Failed to find|Could NOT find) (?:nvcc|CUDA)",
        "cmake does not find nvcc.",
        "Put its folder on PATH (export PATH=/usr/local/cuda/bin:$PATH), or build without CUDA.",
    ),
    known(
        r"No CMAKE_C(?:XX)?_COMPILER could be found|Could not find compiler set in environment variable"
        r"|CMAKE_C(?:XX)?_COMPILER not set",
        "cmake does not find a C++ compiler.",
        "Install one (apt-get install build-essential), and see that CC and CXX, if set, name it.",
    ),
    known(
        r"CMakeCache\.txt directory .* is different|does not match the source .* used to generate cache",
        "build/ was made in another place: it came with the tree.",
        "Remove build/, and build again.",
    ),
    known(
        r"CMake was unable to find a build program|CMAKE_MAKE_PROGRAM is not set",
        "make is not installed.",
        "Install it: apt-get install build-essential.",
    ),
)

DOUBTS = (
    known(
        r"Package (opencv\d?) was not found in the pkg-config|No package '(opencv\d?)' found",
        "pkg-config does not know {0}{1}: OpenCV's development files are not installed, or are of another version than "
        "this darknet looks for.",
        "Install them (apt-get install libopencv-dev), or build with OPENCV=0.",
    ),
    known(
        r"Clock skew detected|has modification time .* in the future",
        "Files of the tree are dated later than now, so make cannot tell which are older.",
        "Set their times to now (find . -exec touch {{}} +), or the clock.",
    ),
    known(
        r"\*\*\* .*\] (?:Interrupt|Terminated|Hangup)",
        "The build was stopped from outside.",
        "Run it again: what was compiled stays.",
    ),
    known(
        r"\*\*\* .*\] Killed|\*\*\* .*Error 137",
        "A program of the build was killed; most often because memory ran out.",
        "Compile fewer files at once (make -j1).",
    ),
)
"""What is printed as a warning, or by make alone: looked for only where no line says more."""
