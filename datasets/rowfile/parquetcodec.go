package rowfile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// pageDecompressor decompresses pages, and refuses those that decompress to another size than their header says.
type pageDecompressor struct {
	zstandard *zstd.Decoder
	buffer    []byte
}

// decompress returns a page of the given size. It is valid until the next call.
func (d *pageDecompressor) decompress(codec format.CompressionCodec, text []byte, size int32) (page []byte, err error) {
	switch codec {
	case format.Uncompressed:
		return text, nil
	case format.Snappy:
		var n int
		if n, err = snappy.DecodedLen(text); err == nil && n == int(size) {
			d.buffer, err = snappy.Decode(d.buffer[:cap(d.buffer)], text)
		} else if err == nil {
			return nil, fmt.Errorf("a page of %d bytes where its header promises %d", n, size)
		}
	case format.Zstd:
		d.buffer, err = d.zstandard.DecodeAll(text, d.buffer[:0])
	case format.Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			d.buffer, err = io.ReadAll(io.LimitReader(z, int64(size)+1))
		}
	case format.Brotli:
		d.buffer, err = io.ReadAll(io.LimitReader(brotli.NewReader(bytes.NewReader(text)), int64(size)+1))
	case format.Lz4Raw: // grows by a factor of 255 at most
		d.buffer, err = parquet.LookupCompressionCodec(codec).Decode(make([]byte, size), text)
	default:
		err = fmt.Errorf("pages compressed by %v; write the file with snappy or zstd", codec)
	}
	if err == nil && len(d.buffer) != int(size) {
		err = fmt.Errorf("a page of %d bytes where its header promises %d", len(d.buffer), size)
	}
	return d.buffer, err
}
