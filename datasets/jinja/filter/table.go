package filter

import "github.com/bfpo-go/bfpo/datasets/jinja/value"

// ordering are the parameters of filters that compare items.
var ordering = opt(opt(nil, "case_sensitive", false), "attribute", nil)

// Filters are Jinja's filters by name.
var Filters = map[string]Filter{
	"abs":        {Body: abs},
	"attr":       {Params: need("name"), Body: attr},
	"batch":      {Params: opt(need("linecount"), "fill_with", nil), Body: batch},
	"capitalize": {Body: mapText(value.Capitalize)},
	"center":     {Params: opt(nil, "width", int64(80)), Body: center},
	"count":      {Body: length},
	"d":          {Params: defaultParams, Body: defaultValue},
	"default":    {Params: defaultParams, Body: defaultValue},
	"dictsort": {
		Params: opt(opt(opt(nil, "case_sensitive", false), "by", "key"), "reverse", false), Body: dictSort},
	"e":              {Body: escape},
	"escape":         {Body: escape},
	"filesizeformat": {Params: opt(nil, "binary", false), Body: fileSize},
	"first":          {Body: first},
	"float":          {Params: opt(nil, "default", 0.0), Body: toFloat},
	"forceescape":    {Body: forceEscape},
	"format":         {Variadic: true, Body: format},
	"groupby": {
		Params: opt(opt(need("attribute"), "default", nil), "case_sensitive", false), Body: groupBy},
	"indent":     {Params: opt(opt(opt(nil, "width", int64(4)), "first", false), "blank", false), Body: indent},
	"int":        {Params: opt(opt(nil, "default", int64(0)), "base", int64(10)), Body: toInt},
	"items":      {Body: items},
	"join":       {Params: opt(opt(nil, "d", ""), "attribute", nil), Body: join},
	"last":       {Body: last},
	"length":     {Body: length},
	"list":       {Body: list},
	"lower":      {Body: mapText(value.Lower)},
	"map":        {Variadic: true, Body: mapItems},
	"max":        {Params: ordering, Body: extreme(">")},
	"min":        {Params: ordering, Body: extreme("<")},
	"reject":     {Variadic: true, Body: choose(false, false)},
	"rejectattr": {Variadic: true, Body: choose(true, false)},
	"replace":    {Params: opt(need("old", "new"), "count", nil), Body: replace},
	"reverse":    {Body: reverse},
	"round":      {Params: opt(opt(nil, "precision", int64(0)), "method", "common"), Body: round},
	"safe":       {Body: safe},
	"select":     {Variadic: true, Body: choose(false, true)},
	"selectattr": {Variadic: true, Body: choose(true, true)},
	"slice":      {Params: opt(need("slices"), "fill_with", nil), Body: slice},
	"sort": {
		Params: opt(opt(opt(nil, "reverse", false), "case_sensitive", false), "attribute", nil), Body: sort},
	"string": {Body: func(c *Call) value.Value { _, v := c.text(); return v }},
	"sum":    {Params: opt(opt(nil, "attribute", nil), "start", int64(0)), Body: sum},
	"title":  {Body: title},
	"tojson": {Params: opt(nil, "indent", nil), Body: safeJSON},
	"trim":   {Params: opt(nil, "chars", nil), Body: trim},
	"truncate": {
		Params: opt(opt(opt(opt(nil, "length", int64(255)), "killwords", false), "end", "..."), "leeway", nil),
		Body:   truncate},
	"unique":    {Params: ordering, Body: unique},
	"upper":     {Body: mapText(value.Upper)},
	"urlencode": {Body: urlEncode},
	"wordcount": {Body: wordCount},
	"xmlattr":   {Params: opt(nil, "autospace", true), Body: xmlAttributes},
}

// PlainJSON is the filter tojson of transformers, which is Python's json.dumps.
var PlainJSON = Filter{
	Params: opt(opt(opt(opt(nil, "ensure_ascii", false), "indent", nil), "separators", nil), "sort_keys", false),
	Body:   plainJSON,
}
