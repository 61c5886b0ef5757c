/*
 * alert_kind.h
 *	  What the rules for alerts share; see alert_rules.c.
 */
#ifndef PP_ALERT_KIND_H
#define PP_ALERT_KIND_H

#include "nodes/pg_list.h"

#include "alerts.h"
#include "look.h"

/* What the rules look at: nobody if no look was taken. */
typedef struct PpScene
{
	TimestampTz now;
	const PpLook *looks;
	int			n;
	List	   *exempt;			/* applications */
} PpScene;

typedef struct PpAlertKind
{
	const char *name;
	const char *unit;
	const int  *min_duration;	/* ms, the setting; NULL: it has none */
	double		critical_factor;	/* critical from so many times that on */
	bool		statement;		/* closes with its statement */
	void		(*check) (const struct PpAlertKind *kind,
						  const PpScene *scene);
} PpAlertKind;

extern void pp_alert_begin(const PpAlertKind *kind, const char *subject,
						   uint64 identity, PpAlertReport *report);
extern void pp_alert_set_session(PpAlertReport *report, const PpLook *look);
extern void pp_alert_set_words(char *to, const char *format,...)
			pg_attribute_printf(2, 3);
extern bool pp_alert_is_exempt(const PpScene *scene,
							   const char *application_name);
extern void pp_alert_set_database(PpAlertReport *report, Oid dbid);
extern const char *pp_alert_database(const PpAlertReport *report);

extern void pp_check_slow_query(const PpAlertKind *kind,
								const PpScene *scene);
extern void pp_check_blocked(const PpAlertKind *kind, const PpScene *scene);
extern void pp_check_idle_in_transaction(const PpAlertKind *kind,
										 const PpScene *scene);
extern void pp_check_long_transaction(const PpAlertKind *kind,
									  const PpScene *scene);

/* For a PpAlertReport of the name report. */
#define SAY(...)	pp_alert_set_words(report.message, __VA_ARGS__)
#define ADVISE(...)	pp_alert_set_words(report.remedy, __VA_ARGS__)

#endif							/* PP_ALERT_KIND_H */
