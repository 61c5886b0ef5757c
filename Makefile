# pool_perf; `make help` lists what there is to make

EXTENSION = pool_perf
MODULE_big = pool_perf
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
DATA = $(sort $(wildcard sql/pool_perf--*.sql))
PGFILEDESC = "pool_perf - performance statistics of every query"

# The control file is the one source of the version
PP_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" pool_perf.control)
PG_CPPFLAGS = -DPP_VERSION='"$(PP_VERSION)"'

# pool_perf must be preloaded, so `make installcheck` starts a throwaway server
# (as any user but root).  To use a running one: make installcheck TEST_SERVER=
TEST_SERVER = --temp-instance=tmp_check --temp-config=test/pool_perf.conf

REGRESS := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --no-locale --encoding=UTF8 --load-extension=pool_perf $(TEST_SERVER)
ISOLATION := $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --no-locale --encoding=UTF8 --load-extension=pool_perf $(TEST_SERVER)

# prove fails without IPC::Run, and would take the other suites down with it
TAP_TESTS := $(shell perl -MIPC::Run -e 'print 1' 2>/dev/null)
PROVE_TESTS ?= test/t/*.pl

# Bitcode only lets JIT inline an extension's functions into expressions, which
# gains nothing here, and it needs a clang of the server's own version
override with_llvm = no

PG_CONFIG ?= pg_config

# Calls of the server's functions go straight through the table of addresses
PG_CFLAGS += -fno-plt

# 15 exports every symbol, which makes each call and each variable a detour; only
# what the server looks up is to be seen, as it is from 16 on
ifneq ($(and $(filter Linux,$(shell uname)),$(filter 15.%,$(shell $(PG_CONFIG) --version 2>/dev/null))),)
PG_CFLAGS += -fvisibility=hidden
PG_CPPFLAGS += -DPGDLLEXPORT='__attribute__((visibility("default")))'
endif

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
# `make test` and `make demo` must work on a machine that has no server yet
all install uninstall installcheck clean:
	@echo "no server headers found; run test/setup.sh, or name the server's pg_config: make PG_CONFIG=..." >&2; exit 1
endif

# PGXS tracks no header dependencies
$(OBJS): $(wildcard src/*.h) pool_perf.control

.DEFAULT_GOAL := all
.PHONY: all install uninstall installcheck clean help test test-matrix test-sanitize demo bench indent check-format

help:
	@sed -n 's/^#: //p' Makefile

#: make                    build pool_perf
#: make install            install it into the server of PG_CONFIG
#: make test               all tests, on servers of their own; nothing is installed (TESTS="name ..." for some)
test:
	@test/run.sh

#: make demo [KEEP=1]      a small production workload and what pool_perf says about it
demo:
	@test/demo/run.sh

#: make bench              what pool_perf costs, beside pg_stat_statements
bench:
	@test/bench/run.sh

#: make test-matrix        the tests on PostgreSQL 17, 18 and 19 in chroots (MAJORS="17 18" for some)
test-matrix:
	@test/matrix.sh $(MAJORS)

#: make test-sanitize      the tests on a server with assertions, AddressSanitizer and UBSan
test-sanitize:
	@test/sanitize.sh

#: make indent             format the C sources
indent:
	@test/format.sh write

#: make check-format       say what `make indent` would change, and check the rules that a grep can check
check-format:
	@test/format.sh check

#: make clean              remove what `make` made
