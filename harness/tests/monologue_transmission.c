/* Monologues of compact requests for simple replies. */
#include "monologue.h"
#include "raw_client.h"

static GByteArray *all_commands(void)
{
    enum { FUA = NBD_CMD_FLAG_FUA, NO_HOLE = NBD_CMD_FLAG_NO_HOLE, FAST = NBD_CMD_FLAG_FAST_ZERO };
    GByteArray *bytes = open_export("disk");

    put_request(bytes, NBD_CMD_WRITE, 0, 66000, 8192);
    put_request(bytes, NBD_CMD_READ, FUA, 65536, 16384);
    put_request(bytes, NBD_CMD_READ, 0, 66001, 1);
    put_request(bytes, NBD_CMD_CACHE, 0, 65536, 8192);
    put_request(bytes, NBD_CMD_READ, 0, 65536, 16384);
    put_request(bytes, NBD_CMD_TRIM, FUA, 67000, 10);
    put_request(bytes, NBD_CMD_READ, 0, 65536, 16384);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, 68000, 10);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, NO_HOLE, 69000, 10);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, FAST, 70000, 10);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, FAST | NO_HOLE, 71000, 10);
    put_request(bytes, NBD_CMD_READ, 0, 65536, 16384);
    put_request(bytes, NBD_CMD_FLUSH, 0, 0, 0);
    put_request(bytes, NBD_CMD_READ, 0, DISK_SIZE - 512, 512);
    put_request(bytes, NBD_CMD_READ, 0, 0, 2 * MIB);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, 0, 40 * MIB);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, FAST, 0, 40 * MIB);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *mistakes(void)
{
    GByteArray *bytes = open_export("disk");

    put_request(bytes, NBD_CMD_READ, 0, DISK_SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_WRITE, 0, DISK_SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_TRIM, 0, DISK_SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_CACHE, 0, DISK_SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, DISK_SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_READ, NBD_CMD_FLAG_NO_HOLE, 0, 512);
    put_request(bytes, NBD_CMD_READ, 0x8000, 0, 512);
    put_request(bytes, NBD_CMD_CACHE, 0x8000, 0, 512);
    put_request(bytes, 99, 0, 0, 28);
    put_request(bytes, NBD_CMD_FLUSH, 0, 0, 0);
    put_request(bytes, NBD_CMD_READ, 0, 0, 0);
    put_request(bytes, NBD_CMD_WRITE, 0, 0, 0);
    put_request(bytes, NBD_CMD_TRIM, 0, 0, 0);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, 0, 0);
    put_request(bytes, NBD_CMD_READ, 0, UINT64_MAX - 511, 1024);
    return bytes; /* and leaves without DISC */
}

static GByteArray *zero_length(uint16_t type)
{
    GByteArray *bytes = open_export("disk");

    put_request(bytes, type, 0, 0, 0);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *zero_length_trim(void)
{
    return zero_length(NBD_CMD_TRIM);
}

static GByteArray *zero_length_write_zeroes(void)
{
    return zero_length(NBD_CMD_WRITE_ZEROES);
}

GByteArray *write_and_disc(void)
{
    GByteArray *bytes = open_export("disk");

    put_request(bytes, NBD_CMD_WRITE, 0, 0, 512);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *bad_request_magic(void)
{
    GByteArray *bytes = open_export("disk");

    put_bytes(bytes, "this is certainly no request", 28);
    return bytes;
}

/* Reads that wait behind each other, some with the same cookie, then one that is too large for some. */
static GByteArray *reads(void)
{
    GByteArray *bytes = open_export("disk");

    for (int i = 0; i < 8; i++) {
        guint header = bytes->len;
        put_request(bytes, NBD_CMD_READ, 0, 0, 65536);
        wire_put(bytes->data + header + 8, 8, i < 4 ? UINT64_MAX : 7);
    }
    put_request(bytes, NBD_CMD_READ, 0, 0, NBD_DEFAULT_MAX_PAYLOAD + 1);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

/* Over far more bytes than any payload has. */
static GByteArray *long_effects(void)
{
    GByteArray *bytes = open_export("disk");

    put_request(bytes, NBD_CMD_WRITE, 0, 8 * MIB - 512, 1024);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, 0, 8 * MIB);
    put_request(bytes, NBD_CMD_READ, 0, 8 * MIB - 512, 512);
    put_request(bytes, NBD_CMD_TRIM, 0, 0, 8 * MIB);
    put_request(bytes, NBD_CMD_READ, 0, 8 * MIB, 512);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

Monologue *const transmission_monologues[] = {
    long_effects,
    reads,
    all_commands,
    mistakes,
    zero_length_trim,
    zero_length_write_zeroes,
    write_and_disc,
    bad_request_magic,
    NULL,
};
