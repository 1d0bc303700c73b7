/* leat demo: programs over the library that do real work, for a look at it. */
#ifndef TOOL_DEMO_H
#define TOOL_DEMO_H

/* argv[0] is "demo".  The exit status. */
int demo_main(int argc, char **argv);

void demo_help(void);

#endif
