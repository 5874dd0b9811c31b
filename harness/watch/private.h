/* What the files of watch/ share. */
#ifndef NBDCONFORM_WATCH_PRIVATE_H
#define NBDCONFORM_WATCH_PRIVATE_H

#include "watch/watch.h"

/* ---- The keeper: keeper.c ---------------------------------------------------------------------- */

/* What a keeper and its owner say to each other, each a message on a SOCK_SEQPACKET socket. */
typedef enum {
    KEEPER_STARTED, /* the server is process PID; VALUE: hidden crashes are heard of */
    KEEPER_FAILED,  /* it could not be executed; VALUE is errno */
    KEEPER_REAPED,  /* process PID has ended; VALUE is as waitpid() has it */
    KEEPER_KILLED,  /* process PID of the tree has ended by a signal; VALUE as before */
    KEEPER_GONE,    /* nothing is left of the tree; VALUE: something had to be killed */
    KEEPER_STOP,    /* to the keeper: end the tree, and kill it after VALUE milliseconds */
} KeeperWord;

typedef struct {
    KeeperWord word;
    pid_t pid;
    int value;
} KeeperMessage;

typedef struct {
    char **argv; /* [0] is a path */
    char **env;
    const char *folder; /* removed in the end */
    int output;         /* becomes the server's stdout and stderr */
    int control; /* the keeper's end of the socket; when the other one closes, all is ended */
} KeeperJob;

/* Forks the keeper. -1 and errno on failure. The caller closes its copies of the descriptors. */
pid_t keeper_start(const KeeperJob *job);

/* ---- Crashes of the server's own children: crash.c ------------------------------------------------ */

/* A process of this machine that a signal has ended. */
typedef struct {
    pid_t pid, parent;
    int status; /* as waitpid() has it */
} CrashEvent;

/* Where to hear of them, for poll(); -1: not permitted, or not told of the processes of our namespace. Starts a
 * child, and waits for it. */
int crash_open(void);
void crash_close(int fd);
/* False: none for now. */
bool crash_read(int fd, CrashEvent *crash);

/* ---- One process: process.c -------------------------------------------------------------------- */

typedef struct {
    pid_t pid, parent;
    char state;        /* of the first thread */
    bool exiting;      /* is on its way out, or a zombie */
    unsigned threads;  /* living ones */
    uint64_t start;    /* tells two processes apart that had the same number */
    uint64_t reserved; /* bytes of address space */
    long resident;     /* pages */
} ProcessStat;

/* These two take no memory and no locks, so that they can be called between fork() and exec(). */
bool process_stat(pid_t pid, ProcessStat *stat);
/* Calls FOUND for every process there is. */
void process_each(void (*found)(void *data, pid_t pid), void *data);

/* Adds what PID holds. */
void process_count_fds(pid_t pid, unsigned fds[FD_KINDS]);
uint64_t process_memory(const ProcessStat *stat);
uint64_t process_cpu_ns(pid_t pid);
/* A thread of it runs, waits for a processor or for a disk. */
bool process_busy(pid_t pid);
/* One of its descriptors is the socket INODE. */
bool process_holds(pid_t pid, uint64_t inode);
/* Its descriptors may be looked at; else errno. */
bool process_readable(pid_t pid);

/* ---- The tree: tree.c -------------------------------------------------------------------------- */

typedef struct Tree Tree;

/* All descendants of ROOT, and ROOT itself if INCLUSIVE. */
Tree *tree_new(pid_t root, bool inclusive);
void tree_free(Tree *tree);

/* Looks for processes that came and went. The members, an array of ProcessStat, zombies included, until the
 * next look; oldest first. */
const GArray *tree_look(Tree *tree);

/* ---- Who listens: listen.c --------------------------------------------------------------------- */

typedef struct {
    const char *path; /* of a Unix socket, or NULL */
    uint16_t port;    /* of a TCP socket on 127.0.0.1, [::1] or any address */
} ListenPlace;

/* The inode of the socket that listens there, in the network namespace of process PID; 0: none. */
uint64_t listen_inode(pid_t pid, const ListenPlace *place);
/* The first member of the tree that holds the socket; 0: none. */
pid_t listen_holder(const GArray *members, uint64_t inode);
/* A TCP port on which nobody listens; 0 if none was found. */
uint16_t listen_free_port(void);
bool listen_port_free(uint16_t port);
/* "ListenOverflows" of the network namespace of process PID. */
uint64_t listen_overflows(pid_t pid);

/* ---- What it printed: output.c ----------------------------------------------------------------- */

/* Keeps the beginning and the end of a stream. */
typedef struct {
    GByteArray *head, *tail;
    size_t total;
} Output;

void output_init(Output *output);
void output_clear(Output *output);
void output_add(Output *output, const char *bytes, size_t size);
char *output_text(const Output *output, size_t from, size_t most);

/* ---- Replacing words in the command: command.c -------------------------------------------------- */

typedef struct {
    bool socket, port; /* where it will listen */
    char **words;      /* split, nothing replaced */
    char *program;     /* the path of what is to be executed */
} Command;

bool command_parse(const WatchSpawn *spawn, Command *command, GError **error);
void command_clear(Command *command);
/* The words for a server in FOLDER that listens at PORT, or, if 0, at a socket in FOLDER. */
char **command_words(const Command *command, const WatchSpawn *spawn, const char *folder,
                     uint16_t port);
char *command_socket(const char *folder);

/* ---- All of it: watch.c, state.c ----------------------------------------------------------------- */

typedef struct {
    pid_t pid;
    int status;
} Reaped;
#define REAPED_KEPT 64

struct Watched {
    pid_t keeper; /* 0: the process ran already */
    int control;
    int output_fd;
    bool valgrind;
    uint16_t port; /* 0: a Unix socket */
    char *folder, *socket, *target;
    TransportAddress *address;
    GThread *listener; /* takes what the keeper and the server say */

    GMutex mutex; /* guards what follows, up to the line */
    GCond changed;
    Output output;
    pid_t started;
    int exec_errno;
    bool hears;        /* of crashes that the server hides */
    bool gone, killed; /* nothing is left; some of it was killed */
    bool deaf;         /* the listener has ended */
    Reaped crash;      /* the first that died of a crash */
    Reaped reaped[REAPED_KEPT];
    unsigned reaped_count;
    /* ------- */

    Tree *tree;
    uint64_t inode; /* of the socket it listens at; 0: not known */
    pid_t main;
    int main_fd;      /* its pidfd */
    WatchState ended; /* unless WATCH_RUNS: how the main process ended, … */
    int ended_status; /* … and with what */
};

/* The listener: reads until both ends are closed. */
void state_listen(Watched *watched);
void state_join(Watched *watched);
/* Makes PID the main process. False if it is gone. */
bool state_elect(Watched *watched, pid_t pid);
/* What was reaped of PID. */
bool state_reaped(Watched *watched, pid_t pid, int *status);
/* Waits until something of the state has changed, or the time has come. */
void state_wait(Watched *watched, gint64 until);
bool state_gone(Watched *watched);

#endif
