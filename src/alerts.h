/*
 * alerts.h
 *	  The last alerts, in shared memory; see alerts.c.
 */
#ifndef PP_ALERTS_H
#define PP_ALERTS_H

#include "datatype/timestamp.h"

#include "outcome.h"

#define PP_MAX_ALERTS	500

/* bytes of texts, their ends included; all of them are printable ASCII */
#define PP_ALERT_WORD	24
#define PP_ALERT_NAME	64
#define PP_ALERT_SUBJECT	128
#define PP_ALERT_TEXT	320
#define PP_ALERT_EVIDENCE	4096

/* what comes back so soon reopens its alert */
#define PP_ALERT_REOPEN_TIME	(INT64CONST(3600) * USECS_PER_SEC)

#define PP_NO_OUTCOME	(-1)

/* A condition that holds now. */
typedef struct PpAlertReport
{
	char		kind[PP_ALERT_WORD];
	char		unit[PP_ALERT_WORD];
	char		subject[PP_ALERT_SUBJECT];
	char		datname[PP_ALERT_NAME]; /* empty: of no database, or unknown */
	char		message[PP_ALERT_TEXT];
	char		remedy[PP_ALERT_TEXT];
	uint64		identity;		/* of the subject; of those of its kind */
	Oid			dbid;			/* this, userid, queryid and pid: 0 if none */
	Oid			userid;
	int64		queryid;
	int			pid;
	uint64		number;			/* of the session's statement */
	double		value;			/* in the unit, as the threshold is */
	double		threshold;
	PpSeverity	severity;
	bool		statement;		/* closes when its statement has ended */
	bool		again;			/* the same occurrence was reported before */
	bool		ended;			/* the statement is over, with that outcome */
	int			outcome;		/* PpOutcome, or PP_NO_OUTCOME */
} PpAlertReport;

/* A row of the table. */
typedef struct PpAlert
{
	int64		alert_id;		/* 0: a free place */
	PpAlertReport latest;		/* of a statement: the longest one */
	bool		is_open;
	bool		announced;		/* since it was opened or reopened */
	bool		logged;			/* likewise, and by a line in the log */
	int			missed;			/* turns without a report */
	int			evidence_length;
	PpSeverity	severity;		/* worst since it was opened or reopened */
	PpSeverity	told_severity;	/* when it was announced last */
	TimestampTz opened_at;
	TimestampTz last_seen;
	TimestampTz closed_at;		/* 0: never yet; kept while it is open again */
	TimestampTz announced_at;	/* last, for whatever reason */
	int64		occurrences;
	int64		silence_id;		/* 0: not silenced */
	TimestampTz acknowledged_at;	/* 0: it is not */
	char		acknowledged_by[PP_ALERT_NAME];
} PpAlert;

/* What happened to an alert; the names are those of notifications. */
typedef enum PpAlertEvent
{
	PP_ALERT_NOTHING,
	PP_ALERT_OPENED,
	PP_ALERT_REOPENED,
	PP_ALERT_ESCALATED,
	PP_ALERT_CLOSED
} PpAlertEvent;

/* What there is and was of them. */
typedef struct PpAlertCounters
{
	int64		alerts;
	int64		open;			/* not silenced */
	int64		open_critical;	/* of these */
	int64		evicted;		/* since server start */
	uint64		changes;		/* of the table, ever */
	char		newest[PP_ALERT_TEXT];	/* message of the worst open one */
} PpAlertCounters;

/* Those of one kind that were open within a window. */
typedef struct PpAlertKindCounters
{
	int			alerts;
	int			open;
	double		max_value;
} PpAlertKindCounters;

/* The evidence is valid until the callback returns, and may be empty. */
typedef void (*pp_alert_callback) (const PpAlert *alert, const char *evidence,
								   void *arg);

extern Size pp_alerts_shmem_size(void);
extern void pp_alerts_shmem_init(void);

extern bool pp_alerts_find(const PpAlertReport *report, TimestampTz now,
						   PpAlert *alert);
extern PpAlertEvent pp_alerts_put(const PpAlertReport *report,
								  const char *evidence, int64 silence_id,
								  PpAlert *alert);
extern bool pp_alerts_get(int place, PpAlert *alert);
extern void pp_alerts_replace(int place, const PpAlert *alert);
extern uint64 pp_alerts_heard(void);
extern void pp_alerts_set_heard(uint64 slow_query_id);
extern bool pp_alerts_acknowledge(int64 alert_id, const char *by);
extern uint64 pp_alert_of(int pid, uint64 number);
extern const char *pp_alert_event_name(PpAlertEvent event);

extern void pp_alerts_read(pp_alert_callback callback, void *arg);
extern void pp_alerts_load(PpAlert *alert, const char *evidence);
extern void pp_alerts_counters(PpAlertCounters *counters);
extern void pp_alerts_kind_counters(const char *kind, int seconds,
									PpAlertKindCounters *counters);
extern int64 pp_alerts_last_id(void);
extern void pp_alerts_set_last_id(int64 alert_id);

#endif							/* PP_ALERTS_H */
