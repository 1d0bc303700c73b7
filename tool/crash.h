/*
 * Points at which a test kills the program: before and after each call that changes a file that
 * must survive.  In a test build (-DLEAT_CRASH) the point whose number is in LEAT_CRASH_AT, from
 * 1, ends the process by SIGKILL; LEAT_CRASH_LIST=FILE gets a line for each point that is
 * reached, "NUMBER WHAT", so its length says how many there are.
 */
#ifndef TOOL_CRASH_H
#define TOOL_CRASH_H

#ifdef LEAT_CRASH
void crash_point(const char *what);
#else
#define crash_point(what) ((void)0)
#endif

#endif
