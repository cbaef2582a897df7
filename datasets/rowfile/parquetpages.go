package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds on the pages of a parquet file. The library decodes pages whole, one of each column at a time.
const (
	minGroupMemory = 64 << 20 // the largest pages of a row group's columns may take this together …
	maxPageGrowth  = 20       // … or this many times the file's size, whichever is more
	pageValueCost  = 8        // bytes that the levels and the offset or index of a value take
	maxPageHeader  = 1 << 20  // bytes of a page's header, which may hold a text as the column's minimum
)

// checkPages walks over the pages of the columns of a schema before the library decodes them, and refuses sizes and
// lengths of runs that the file cannot hold: the library allocates what they promise. Every page is decompressed once
// for that.
func checkPages(data io.ReaderAt, size int64, file *parquet.File, schema *parquet.Schema) error {
	limit := max(minGroupMemory, maxPageGrowth*size)
	zstandard, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(limit)))
	if err != nil {
		return err
	}
	defer zstandard.Close()
	codec := &pageDecompressor{zstandard: zstandard}
	values := newBudget(size)
	for i, group := range file.Metadata().RowGroups {
		memory := budget{limit}
		for _, path := range schema.Columns() {
			leaf, ok := file.Schema().Lookup(path...)
			if !ok || leaf.ColumnIndex >= len(group.Columns) {
				return fmt.Errorf("damaged parquet file: row group %d lacks column %s", i, strings.Join(path, "."))
			}
			c := chunkCheck{chunk: &group.Columns[leaf.ColumnIndex].MetaData, leaf: leaf, codec: codec,
				rows: group.NumRows, limit: limit, values: values}
			err := c.check(data, size)
			if err == nil && memory.spend(c.largest+c.dictionary) != nil {
				err = errors.New("its pages are too large for a file of this size")
			}
			if err != nil {
				return fmt.Errorf("damaged parquet file: row group %d, column %s: %w", i, strings.Join(path, "."), err)
			}
		}
	}
	return nil
}

// chunkCheck checks the pages of one column in one row group.
type chunkCheck struct {
	chunk  *format.ColumnMetaData
	leaf   parquet.LeafColumn
	codec  *pageDecompressor
	rows   int64   // of the row group
	limit  int64   // memory of a page
	values *budget // of all columns

	seen       int64 // values of the pages so far
	largest    int64 // memory of the largest page
	dictionary int64 // memory of the dictionary
	compressed []byte
}

// check reads the pages of the column.
func (c *chunkCheck) check(data io.ReaderAt, size int64) error {
	begin, length := c.chunk.DataPageOffset, c.chunk.TotalCompressedSize
	if c.chunk.DictionaryPageOffset != 0 {
		begin = c.chunk.DictionaryPageOffset
	}
	if begin < 0 || length < 0 || begin > size || length > size-begin {
		return fmt.Errorf("%d bytes at %d in a file of %d", length, begin, size)
	}
	if n := c.chunk.NumValues; n < 0 || c.leaf.MaxRepetitionLevel == 0 && n != c.rows {
		return fmt.Errorf("%d values in %d rows", n, c.rows)
	}
	for at, end := begin, begin+length; at < end; {
		header, n, err := readPageHeader(data, at, end)
		if err != nil {
			return err
		}
		at += int64(n)
		if header.CompressedPageSize < 0 || int64(header.CompressedPageSize) > end-at {
			return fmt.Errorf("a page of %d bytes where %d are left", header.CompressedPageSize, end-at)
		}
		c.compressed = append(c.compressed[:0], make([]byte, header.CompressedPageSize)...)
		if _, err := data.ReadAt(c.compressed, at); err != nil {
			return err
		}
		if err := c.checkPage(header); err != nil {
			return err
		}
		at += int64(header.CompressedPageSize)
	}
	if c.seen != c.chunk.NumValues {
		return fmt.Errorf("its pages have %d values, its metadata promises %d", c.seen, c.chunk.NumValues)
	}
	return nil
}

// readPageHeader reads the header of the page at an offset, and returns its length too.
func readPageHeader(data io.ReaderAt, at, end int64) (header *format.PageHeader, length int, err error) {
	var protocol thrift.CompactProtocol
	for n := int64(512); ; n *= 8 {
		text := make([]byte, min(n, end-at))
		if _, err := data.ReadAt(text, at); err != nil {
			return nil, 0, err
		}
		// The library allocates what the length of a text promises, so the lengths are checked first.
		walk := thriftWalk{r: protocol.NewReaderFromBytes(text), size: len(text), memory: maxPageHeader}
		if err := walk.fields(0); err == nil {
			length = walk.r.BytesRead()
			header = new(format.PageHeader)
			err = thrift.NewDecoder(protocol.NewReaderFromBytes(bytes.Clone(text[:length]))).Decode(header)
			return header, length, err
		} else if n >= min(end-at, maxPageHeader) {
			return nil, 0, fmt.Errorf("the header of a page is damaged: %w", err)
		}
	}
}

// checkPage checks one page, whose bytes are in compressed.
func (c *chunkCheck) checkPage(header *format.PageHeader) error {
	var values int64
	switch {
	case header.Type == format.DataPage && header.DataPageHeader.Valid:
		values = int64(header.DataPageHeader.V.NumValues)
	case header.Type == format.DataPageV2 && header.DataPageHeaderV2.Valid:
		values = int64(header.DataPageHeaderV2.V.NumValues)
	case header.Type == format.DictionaryPage && header.DictionaryPageHeader.Valid:
		values = int64(header.DictionaryPageHeader.V.NumValues)
	default:
		return fmt.Errorf("a page of type %v", header.Type)
	}
	cost := int64(header.UncompressedPageSize) + pageValueCost*values
	if values < 0 || header.UncompressedPageSize < 0 || cost > c.limit {
		return fmt.Errorf("a page of %d values and %d bytes", values, header.UncompressedPageSize)
	}
	if header.Type == format.DictionaryPage {
		c.dictionary += cost
		_, err := c.codec.decompress(c.chunk.Codec, c.compressed, header.UncompressedPageSize)
		return err
	}
	if c.seen += values; c.seen > c.chunk.NumValues || c.values.spend(valueCost/2*values) != nil {
		return fmt.Errorf("%d values", c.seen)
	}
	c.largest = max(c.largest, cost)
	if header.Type == format.DataPageV2 {
		return c.checkPageV2(&header.DataPageHeaderV2.V, header.UncompressedPageSize)
	}
	page, err := c.codec.decompress(c.chunk.Codec, c.compressed, header.UncompressedPageSize)
	if err != nil {
		return err
	}
	runs := runCheck{text: page, values: values}
	runs.levels(c.leaf.MaxRepetitionLevel, header.DataPageHeader.V.RepetitionLevelEncoding)
	runs.levels(c.leaf.MaxDefinitionLevel, header.DataPageHeader.V.DefinitionLevelEncoding)
	return runs.data(header.DataPageHeader.V.Encoding, c.limit)
}

// checkPageV2 checks a page of version 2, whose levels are not compressed.
func (c *chunkCheck) checkPageV2(header *format.DataPageHeaderV2, size int32) error {
	repetition, definition := header.RepetitionLevelsByteLength, header.DefinitionLevelsByteLength
	levels := int64(repetition) + int64(definition)
	if repetition < 0 || definition < 0 || levels > int64(min(len(c.compressed), int(size))) {
		return fmt.Errorf("levels of %d bytes in a page of %d", levels, len(c.compressed))
	}
	runs := runCheck{values: int64(header.NumValues)}
	runs.runs(c.compressed[:repetition], levelWidth(c.leaf.MaxRepetitionLevel))
	runs.runs(c.compressed[repetition:levels], levelWidth(c.leaf.MaxDefinitionLevel))
	runs.text = c.compressed[levels:]
	if header.IsCompressed.V || !header.IsCompressed.Valid {
		var err error
		if runs.text, err = c.codec.decompress(c.chunk.Codec, runs.text, size-int32(levels)); err != nil {
			return err
		}
	}
	return runs.data(header.Encoding, c.limit)
}
