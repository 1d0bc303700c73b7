/* What leat --help and leat help TOPIC print. */
#ifndef TOOL_HELP_H
#define TOOL_HELP_H

/* To stdout; topic NULL: what there is.  The exit status. */
int help_main(const char *topic);

#endif
