/* SPDX-License-Identifier: MIT */
#include "store/compress.h"

#include <assert.h>
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

struct coder {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

/* These fail for want of memory or by a wrong parameter only. */
static size_t must(size_t result)
{
    assert(!ZSTD_isError(result) ||
           ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation);
    if (ZSTD_isError(result))
        mem_check(NULL);
    return result;
}

struct coder *coder_new(void)
{
    struct coder *coder = mem_new(sizeof *coder);
    coder->compress = mem_check(ZSTD_createCCtx());
    coder->decompress = mem_check(ZSTD_createDCtx());
    must(ZSTD_CCtx_setParameter(coder->compress, ZSTD_c_checksumFlag, 1));
    must(ZSTD_CCtx_setParameter(coder->compress, ZSTD_c_dictIDFlag, 0));
    return coder;
}

void coder_free(struct coder *coder)
{
    if (coder == NULL)
        return;
    ZSTD_freeCCtx(coder->compress);
    ZSTD_freeDCtx(coder->decompress);
    free(coder);
}

static struct span run(struct coder *coder, struct span bytes, struct buf *out)
{
    buf_reset(out);
    size_t room = ZSTD_compressBound(bytes.n);
    bool fits = buf_reserve(out, room);
    assert(fits);
    out->n = must(ZSTD_compress2(coder->compress, out->p, room, bytes.p, bytes.n));
    out->p[out->n] = '\0';
    return buf_view(out);
}

struct span compress_level(struct coder *coder, int level, struct span bytes,
                           struct buf *out)
{
    must(ZSTD_CCtx_refCDict(coder->compress, NULL));
    must(ZSTD_CCtx_setParameter(coder->compress, ZSTD_c_compressionLevel, level));
    return run(coder, bytes, out);
}

struct span compress_dict(struct coder *coder, const struct ZSTD_CDict_s *dict,
                          struct span bytes, struct buf *out)
{
    must(ZSTD_CCtx_refCDict(coder->compress, dict));
    return run(coder, bytes, out);
}

int decompress(struct coder *coder, const struct ZSTD_DDict_s *dict, struct span frame,
               struct buf *out)
{
    unsigned long long size = ZSTD_getFrameContentSize(frame.p, frame.n);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
        size > out->max || !buf_reserve(out, size))
        return -1;
    size_t n = ZSTD_decompress_usingDDict(coder->decompress, out->p + out->n, size,
                                          frame.p, frame.n, dict);
    if (ZSTD_isError(n) || n != size)
        return -1;
    out->n += n;
    out->p[out->n] = '\0';
    return 0;
}
