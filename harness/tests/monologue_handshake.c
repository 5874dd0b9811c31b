/* Monologues about the handshake. */
#include "monologue.h"
#include "raw_client.h"

static GByteArray *haggling(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    put_option(bytes, NBD_OPT_LIST, "data", 4);
    put_option(bytes, 4711, "odd", 3);
    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, "data", 4);
    INFO(bytes, NBD_OPT_INFO, "", "\0\0");
    INFO(bytes, NBD_OPT_INFO, "disk", "\0\4\0\3\0\1\0\2\0\0");
    INFO(bytes, NBD_OPT_INFO, "disk", "\0\1\0\143");
    INFO(bytes, NBD_OPT_INFO, "unknown", "\0\0");
    put_option(bytes, NBD_OPT_INFO, "\0\0\1\0\0\0", 6);
    put_option(bytes, NBD_OPT_INFO, "\0\0\0\0\377\0", 6);
    put_option(bytes, NBD_OPT_INFO, "\377\377\377\377\0\0", 6);
    put_option(bytes, NBD_OPT_ABORT, "data", 4);
    return bytes;
}

static GByteArray *go_after_list(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    INFO(bytes, NBD_OPT_GO, "disk", "\0\0");
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *starttls_in_vain(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_STARTTLS, NULL, 0);
    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

static GByteArray *abort_only(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

static GByteArray *many_options(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    for (unsigned i = 0; i < 150; i++)
        put_option(bytes, 4711 + i, NULL, 0);
    return bytes;
}

static GByteArray *long_name(uint32_t option, size_t length)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);
    g_autofree char *name = g_strnfill(length, 'n');

    if (option == NBD_OPT_EXPORT_NAME)
        put_option(bytes, option, name, length);
    else
        INFO(bytes, option, name, "\0\0");
    return bytes;
}

static GByteArray *info_of_257(void)
{
    return long_name(NBD_OPT_INFO, 257);
}

static GByteArray *info_of_4096(void)
{
    return long_name(NBD_OPT_INFO, 4096);
}

static GByteArray *info_of_4097(void)
{
    return long_name(NBD_OPT_INFO, 4097);
}

static GByteArray *export_name_of_1025(void)
{
    return long_name(NBD_OPT_EXPORT_NAME, 1025);
}

static GByteArray *export_name(uint32_t client_flags)
{
    GByteArray *bytes = monologue_begin(client_flags);

    put_option(bytes, NBD_OPT_EXPORT_NAME, NULL, 0);
    put_request(bytes, NBD_CMD_READ, 0, 0, 512);
    return bytes;
}

static GByteArray *export_name_padded(void)
{
    return export_name(NBD_FLAG_C_FIXED_NEWSTYLE);
}

static GByteArray *export_name_unpadded(void)
{
    return export_name(RAW_FLAGS);
}

static GByteArray *unknown_client_flag(void)
{
    return export_name(RAW_FLAGS | 1 << 9);
}

static GByteArray *bad_option_magic(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_bytes(bytes, "IHAVEOPS\0\0\0\3\0\0\0\0", 16);
    return bytes;
}

GByteArray *huge_option(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_bytes(bytes, "IHAVEOPT\0\0\0\3\377\377\377\377", 16);
    return bytes;
}

static GByteArray *early_end(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_bytes(bytes, "IHAVE", 5);
    return bytes;
}

static GByteArray *other_than_informed(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    INFO(bytes, NBD_OPT_INFO, "disk", "\0\0");
    INFO(bytes, NBD_OPT_GO, "no such disk", "\0\0");
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

Monologue *const handshake_monologues[] = {
    go_after_list,
    haggling,
    abort_only,
    starttls_in_vain,
    many_options,
    info_of_257,
    info_of_4096,
    info_of_4097,
    export_name_of_1025,
    export_name_padded,
    export_name_unpadded,
    unknown_client_flag,
    bad_option_magic,
    huge_option,
    early_end,
    other_than_informed,
    NULL,
};
