package rowfile

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// readParquet calls yield with every row of a parquet file, of which only the wanted Columns are decoded. content is
// the file f after decompression. The library trusts the sizes in a file, so checkParquet goes first; it panics on some
// damaged files, and the panic becomes an error.
func readParquet(content io.Reader, f fs.File, size int64, limits limits, wanted Columns, yield Yield) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged parquet file: %v", p)
		}
	}()
	data, ok := f.(io.ReaderAt)
	if content != io.Reader(f) || !ok {
		all, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		data, size = bytes.NewReader(all), int64(len(all))
	}
	if err := checkFooter(data, size); err != nil {
		return fmt.Errorf("not a sound parquet file: %w", err)
	}
	file, err := parquet.OpenFile(data, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("not a sound parquet file: %w", err)
	}
	schema, others, err := projectParquet(file, wanted)
	if err != nil {
		return err
	}
	if err := checkPages(data, size, file, schema); err != nil {
		return err
	}
	for i, group := range file.RowGroups() {
		if group.NumRows() == 0 {
			continue
		}
		reader := parquetRows{schema: schema, others: others, limits: limits, yield: yield}
		if err := reader.readGroup(group); err != nil {
			return err
		}
		if reader.count != group.NumRows() {
			return fmt.Errorf("damaged parquet file: row group %d has %d rows, its metadata promises %d",
				i, reader.count, group.NumRows())
		}
	}
	return nil
}

// projectParquet returns the schema of a file's wanted Columns and the names of its other columns. Two columns of one
// name are an error: a row could not tell which one it has.
func projectParquet(file *parquet.File, wanted Columns) (schema *parquet.Schema, others []string, err error) {
	group := parquet.Group{}
	for _, field := range file.Schema().Fields() {
		if wanted.has(field.Name()) {
			if group[field.Name()] != nil {
				return nil, nil, fmt.Errorf("two columns are named %s", field.Name())
			}
			group[field.Name()] = field
		} else {
			others = append(others, field.Name())
		}
	}
	if len(others) == 0 {
		return file.Schema(), nil, nil
	}
	return parquet.NewSchema(file.Schema().Name(), group), others, nil
}

// parquetRows reads the rows of row groups.
type parquetRows struct {
	schema *parquet.Schema
	others []string // columns that are not read
	limits limits
	yield  Yield
	count  int64 // rows that were read
}

// readGroup reads the rows of one group.
func (p *parquetRows) readGroup(group parquet.RowGroup) error {
	if len(p.schema.Columns()) == 0 { // nothing that is wanted
		for ; p.count < group.NumRows(); p.count++ {
			if err := p.emit(map[string]any{}, nil); err != nil {
				return err
			}
		}
		return nil
	}
	reader := parquet.NewGenericRowGroupReader[any](group, p.schema)
	defer reader.Close()
	for rows := make([]parquet.Row, 16); ; {
		n, err := reader.ReadRows(rows)
		for _, values := range rows[:n] {
			p.count++
			if len(values) > maxRowValues {
				return errTooManyValues
			}
			var v any
			if err := p.limits.budget.spend(parquetCost(values)); err != nil {
				return err
			}
			if err := p.schema.Reconstruct(&v, values); err != nil {
				return fmt.Errorf("damaged parquet file: %w", err)
			}
			if err := p.emit(v, values); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("damaged parquet file: %w", err)
		} else if n == 0 {
			return io.ErrNoProgress
		}
	}
}

// parquetCost returns the memory that the values of a row take.
func parquetCost(values parquet.Row) int64 {
	cost := int64(rowCost)
	for _, v := range values {
		cost += valueCost
		if kind := v.Kind(); !v.IsNull() && (kind == parquet.ByteArray || kind == parquet.FixedLenByteArray) {
			cost += int64(len(v.ByteArray()))
		}
	}
	return cost
}

// emit yields a row. Its texts are looked at one by one only where one of its values is no Unicode.
func (p *parquetRows) emit(v any, values parquet.Row) error {
	r, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want columns, have %T", v)
	}
	for _, value := range values {
		if value.Kind() == parquet.ByteArray && !value.IsNull() && !utf8.Valid(value.ByteArray()) {
			p.markTexts(r)
			break
		}
	}
	for _, field := range p.schema.Fields() {
		r[field.Name()] = ordered(r[field.Name()], field)
	}
	for _, name := range p.others {
		r[name] = Unread{}
	}
	return p.yield(0, r, nil)
}

// markTexts replaces the values of columns that hold text that is not Unicode: by a []byte where the column is declared
// as binary, and else by Unusable.
func (p *parquetRows) markTexts(r map[string]any) {
	for _, field := range p.schema.Fields() {
		name := field.Name()
		text, isText := r[name].(string)
		if err := checkTexts(r[name]); err == nil {
			continue
		} else if isText && field.Leaf() && field.Type().LogicalType() == nil {
			r[name] = []byte(text)
		} else {
			r[name] = Unusable{err}
		}
	}
}

// checkTexts refuses a value that holds text that is not Unicode.
func checkTexts(v any) error {
	switch v := v.(type) {
	case string:
		return checkUnicode(v)
	case []any:
		for _, item := range v {
			if err := checkTexts(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := checkTexts(item); err != nil {
				return err
			}
		}
	}
	return nil
}
