package rowfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds on the metadata of a parquet file. Files of texts have some tens of columns and less than ten levels.
const (
	maxParquetNodes = 10_000 // columns, and groups of columns
	maxParquetDepth = 64     // levels of groups
	maxThriftDepth  = 32     // levels of the metadata itself
	thriftCost      = 600    // bytes that the library takes for an element of a list, the largest kind
)

// checkFooter refuses metadata that makes the library allocate much more than the file holds: a footer longer than the
// file, lists longer than the footer, and a deep schema, whose memory grows as the square of its depth.
func checkFooter(data io.ReaderAt, size int64) error {
	var end [8]byte
	if _, err := data.ReadAt(end[:], size-8); err != nil || string(end[4:]) != "PAR1" {
		return errors.New("it does not end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if n > size-12 {
		return fmt.Errorf("a footer of %d bytes in a file of %d", n, size)
	}
	footer := make([]byte, n)
	if _, err := data.ReadAt(footer, size-8-n); err != nil {
		return err
	}
	walk := thriftWalk{memory: max(minExpansion, 2*size)}
	var protocol thrift.CompactProtocol
	walk.r, walk.size = protocol.NewReaderFromBytes(footer), len(footer)
	if err := walk.fields(0); err != nil {
		return fmt.Errorf("its footer is damaged: %w", err)
	}
	var metadata format.FileMetaData
	if err := thrift.NewDecoder(protocol.NewReaderFromBytes(footer)).Decode(&metadata); err != nil {
		return fmt.Errorf("its footer is damaged: %w", err)
	}
	return checkSchema(&metadata, size)
}

// thriftWalk skips values of thrift's compact protocol and checks the lengths of lists, which the library allocates
// before it reads their elements.
type thriftWalk struct {
	r      thrift.Reader
	size   int   // bytes of the input
	memory int64 // that lists may still take
}

// fields skips the fields of a struct.
func (w *thriftWalk) fields(depth int) error {
	if depth > maxThriftDepth {
		return errors.New("it is nested too deep")
	}
	for {
		field, err := w.r.ReadField()
		if err != nil {
			return err
		} else if field.Type == thrift.STOP {
			return nil
		}
		if field.Type == thrift.TRUE || field.Type == thrift.FALSE {
			continue // the type is the value
		}
		if err := w.value(field.Type, depth); err != nil {
			return err
		}
	}
}

// value skips one value.
func (w *thriftWalk) value(t thrift.Type, depth int) (err error) {
	switch t {
	case thrift.TRUE, thrift.FALSE:
		_, err = w.r.ReadBool()
	case thrift.I8:
		_, err = w.r.ReadInt8()
	case thrift.I16:
		_, err = w.r.ReadInt16()
	case thrift.I32:
		_, err = w.r.ReadInt32()
	case thrift.I64:
		_, err = w.r.ReadInt64()
	case thrift.DOUBLE:
		_, err = w.r.ReadFloat64()
	case thrift.BINARY:
		_, err = w.r.ReadBytes()
	case thrift.STRUCT:
		err = w.fields(depth + 1)
	case thrift.LIST, thrift.SET:
		err = w.list(depth + 1)
	default:
		err = fmt.Errorf("a value of type %v", t)
	}
	return err
}

// list skips a list.
func (w *thriftWalk) list(depth int) error {
	list, err := w.r.ReadList()
	if err != nil {
		return err
	}
	cost := int64(8)
	if list.Type == thrift.STRUCT {
		cost = thriftCost
	}
	w.memory -= int64(list.Size) * cost
	if list.Size < 0 || int(list.Size) > w.size-w.r.BytesRead() || w.memory < 0 {
		return fmt.Errorf("a list of %d elements", list.Size)
	}
	for range list.Size {
		if err := w.value(list.Type, depth); err != nil {
			return err
		}
	}
	return nil
}

// checkSchema refuses schemas that are too large or too deep, and counts of rows and values that a file of the given
// size cannot hold.
func checkSchema(metadata *format.FileMetaData, size int64) error {
	if n := len(metadata.Schema); n > maxParquetNodes {
		return fmt.Errorf("its schema has %d elements; bfpo reads up to %d", n, maxParquetNodes)
	}
	var open []int32 // children that are still to come, of each level
	for i, element := range metadata.Schema {
		if i > 0 && len(open) == 0 {
			return errors.New("its schema has elements outside its root")
		}
		if len(open) > 0 {
			open[len(open)-1]--
		}
		children := element.NumChildren.V
		if children < 0 || int(children) > len(metadata.Schema)-i-1 {
			return fmt.Errorf("element %d of its schema has %d children", i, children)
		}
		open = append(open, children)
		if len(open) > maxParquetDepth {
			return fmt.Errorf("its schema has more than %d levels", maxParquetDepth)
		}
		for len(open) > 0 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return errors.New("its schema lacks elements")
	}
	total := newBudget(size)
	for i, group := range metadata.RowGroups {
		if total.spend(rowCost*min(group.NumRows, 1<<50)) != nil {
			return fmt.Errorf("row group %d has %d rows in a file of %d bytes", i, group.NumRows, size)
		}
	}
	return nil
}
