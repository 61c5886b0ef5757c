/*
 * pool_perf.c
 *	  Loads the extension: each module's initialisation, nothing else.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "compat.h"
#include "error_watch.h"
#include "execution.h"
#include "guc.h"
#include "hooks.h"
#include "shmem.h"
#include "worker.h"

PP_MODULE_MAGIC("pool_perf", PP_VERSION);

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	/* CREATE EXTENSION and LOAD without preload must work, and do nothing */
	if (!process_shared_preload_libraries_in_progress)
		return;

	pp_guc_init();
	EnableQueryId();
	pp_shmem_init();
	pp_execution_init();
	pp_error_watch_init();
	pp_hooks_init();
	/* what pg_upgrade runs is not to be saved */
	if (!IsBinaryUpgrade)
		pp_worker_init();
}
