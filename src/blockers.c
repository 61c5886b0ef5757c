/*
 * blockers.c
 *	  Who waits for whose lock.
 *
 * From one copy of the lock manager's table, which takes all of its partition
 * locks in shared mode, once for all who wait.  A session is blocked by those
 * who hold the lock in a mode that conflicts with the one it wants, and by
 * those who have been waiting for such a mode for longer.  At its end the
 * chain of first blockers has the root: whoever waits for no lock.
 *
 * Works in the current memory context, which the caller resets.
 */
#include "postgres.h"

#include "storage/lock.h"

#include "blockers.h"
#include "compat.h"

/* A share of a lock: held, awaited, or both. */
typedef struct Share
{
	const LockInstanceData *lock;
	PpLook	   *look;			/* of its session; NULL: it is none */
} Share;

typedef struct LockTable
{
	LockData   *data;
	Share	   *shares;			/* those that can conflict, by lock */
	int			nshares;
	PpLook	   *looks;			/* by pid */
	int			nlooks;
} LockTable;

static int
compare_pids(const void *a, const void *b)
{
	int			x = ((const PpLook *) a)->pid;
	int			y = ((const PpLook *) b)->pid;

	return (x > y) - (x < y);
}

/* The look at the process, among looks in the order of pids; or NULL. */
PpLook	   *
pp_look_find(PpLook *looks, int nlooks, int pid)
{
	int			low = 0;
	int			high = nlooks;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (looks[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < nlooks && looks[low].pid == pid ? &looks[low] : NULL;
}

/* The older of two times is less; one that is not known is the oldest. */
static int
compare_times(TimestampTz a, TimestampTz b)
{
	return (a > b) - (a < b);
}

/*
 * Shares of the same lock stand together: first those who wait for nothing,
 * the longest transaction first, and a prepared one before all; then those who
 * wait, the longest first.
 */
static int
compare_shares(const void *a, const void *b)
{
	const Share *x = a;
	const Share *y = b;
	bool		x_waits = x->lock->waitLockMode != NoLock;
	bool		y_waits = y->lock->waitLockMode != NoLock;
	int			order = memcmp(&x->lock->locktag, &y->lock->locktag,
							   sizeof(LOCKTAG));

	if (order != 0)
		return order;
	if (x_waits != y_waits)
		return x_waits ? 1 : -1;
	order = x_waits ?
		compare_times(x->lock->waitStart, y->lock->waitStart) :
		compare_times(x->look != NULL ? x->look->xact_start : 0,
					  y->look != NULL ? y->look->xact_start : 0);
	if (order != 0)
		return order;
	return (x->lock->pid > y->lock->pid) - (x->lock->pid < y->lock->pid);
}

static int
compare_tags(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(LOCKTAG));
}

/*
 * Copies the shares of locks that somebody waits for: of all locks there are,
 * few.  What is taken by the fast path conflicts with nothing.
 */
static void
copy_locks(LockTable *table)
{
	LockData   *data = GetLockStatusData();
	LOCKTAG    *wanted = palloc(Max(data->nelements, 1) * sizeof(LOCKTAG));
	int			nwanted = 0;

	for (int i = 0; i < data->nelements; i++)
		if (data->locks[i].waitLockMode != NoLock)
			wanted[nwanted++] = data->locks[i].locktag;
	qsort(wanted, nwanted, sizeof(LOCKTAG), compare_tags);

	table->data = data;
	table->shares = palloc(Max(data->nelements, 1) * sizeof(Share));
	table->nshares = 0;
	for (int i = 0; i < data->nelements && nwanted > 0; i++)
	{
		const LockInstanceData *lock = &data->locks[i];
		Share	   *share = &table->shares[table->nshares];

		if (lock->fastpath || bsearch(&lock->locktag, wanted, nwanted,
									  sizeof(LOCKTAG), compare_tags) == NULL)
			continue;
		share->lock = lock;
		share->look = pp_look_find(table->looks, table->nlooks,
								   lock->leaderPid);
		table->nshares++;
	}
	qsort(table->shares, table->nshares, sizeof(Share), compare_shares);
}

/* The transaction of a prepared one that has that share of a lock. */
static TransactionId
prepared_xid(const LockTable *table, const LockInstanceData *lock)
{
	for (int i = 0; i < table->data->nelements; i++)
	{
		const LockInstanceData *other = &table->data->locks[i];

		if (other->pid == 0 && PP_SAME_LOCK_OWNER(other, lock) &&
			other->locktag.locktag_type == LOCKTAG_TRANSACTION &&
			(other->holdMask & LOCKBIT_ON(ExclusiveLock)))
			return other->locktag.locktag_field1;
	}
	return InvalidTransactionId;
}

static void
add_blocker(const LockTable *table, PpLook *look, const LockInstanceData *by)
{
	for (int i = 0; i < look->nblockers; i++)
		if (look->blockers[i] == by->leaderPid)
			return;
	if (look->nblockers == PP_BLOCKERS)
		return;
	if (look->nblockers == 0 && by->leaderPid == 0)
		look->root_xid = prepared_xid(table, by);
	look->blockers[look->nblockers++] = by->leaderPid;
}

/* Finds who blocks the session with that share of the group's lock. */
static void
find_blockers(const LockTable *table, const Share *waiter, const Share *group,
			  int n)
{
	const LockInstanceData *lock = waiter->lock;
	PpLook	   *look = waiter->look;
	LOCKMASK	conflicts =
	GetLockTagsMethodTable(&lock->locktag)->conflictTab[lock->waitLockMode];

	for (int i = 0; i < n && look->nblockers < PP_BLOCKERS; i++)
		if ((group[i].lock->holdMask & conflicts) &&
			group[i].lock->leaderPid != lock->leaderPid)
			add_blocker(table, look, group[i].lock);
	for (int i = 0; i < n && &group[i] != waiter &&
		 look->nblockers < PP_BLOCKERS; i++)
		if ((LOCKBIT_ON(group[i].lock->waitLockMode) & conflicts) &&
			group[i].lock->waitLockMode != NoLock &&
			group[i].lock->leaderPid != lock->leaderPid)
			add_blocker(table, look, group[i].lock);
}

/*
 * Follows the chain of first blockers.  A circle has no root: the server is
 * about to break it.
 */
static void
find_root(const LockTable *table, PpLook *look)
{
	const PpLook *at = look;

	for (int i = 0; i <= table->nlooks; i++)
	{
		int			pid = at->blockers[0];
		const PpLook *next = pp_look_find(table->looks, table->nlooks, pid);

		if (pid == 0)
		{
			look->root_xid = at->root_xid;
			return;
		}
		if (next == NULL || next->nblockers == 0)
		{
			look->root_blocker = pid;
			return;
		}
		at = next;
	}
}

/*
 * Fills in the blockers of all looks whose session waits for a lock.  The
 * looks end up in the order of pids.
 */
void
pp_blockers_find(PpLook *looks, int nlooks)
{
	LockTable	table = {.looks = looks,.nlooks = nlooks};
	int			n;

	qsort(looks, nlooks, sizeof(PpLook), compare_pids);
	copy_locks(&table);
	for (int begin = 0; begin < table.nshares; begin += n)
	{
		const Share *group = &table.shares[begin];

		for (n = 1; begin + n < table.nshares &&
			 memcmp(&group[n].lock->locktag, &group->lock->locktag,
					sizeof(LOCKTAG)) == 0;)
			n++;
		/* those who wait stand last */
		for (int i = n - 1; i >= 0; i--)
		{
			if (group[i].lock->waitLockMode == NoLock)
				break;
			if (group[i].look != NULL)
				find_blockers(&table, &group[i], group, n);
		}
	}
	for (int i = 0; i < nlooks; i++)
		if (looks[i].nblockers > 0)
			find_root(&table, &looks[i]);
}
