#!/bin/sh
# Every source file is as clang-format 14 leaves it. usage: format.sh REPO_ROOT
set -eu
cd "$1"
git ls-files -z -- 'lib/*.[ch]' 'cli/*.[ch]' 'tests/*.[ch]' 'lib/*.cpp' |
    xargs -0 clang-format --dry-run -Werror
