package dashboards

// only leaves the columns that are named, in that order.
func only(columns ...string) []Transformation {
	type names struct {
		Names []string `json:"names"`
	}
	order := make(map[string]int, len(columns))
	for i, c := range columns {
		order[c] = i
	}
	return []Transformation{
		{"filterFieldsByName", struct {
			Include names `json:"include"`
		}{names{columns}}},
		{"organize", struct {
			IndexByName   map[string]int    `json:"indexByName"`
			ExcludeByName map[string]bool   `json:"excludeByName"`
			RenameByName  map[string]string `json:"renameByName"`
		}{order, map[string]bool{}, map[string]string{}}},
	}
}

// sorted orders rows by a column.
func sorted(by string, descending bool) Transformation {
	type key struct {
		Field string `json:"field"`
		Desc  bool   `json:"desc"`
	}
	return Transformation{"sortBy", struct {
		Sort []key `json:"sort"`
	}{[]key{{by, descending}}}}
}

// first leaves so many rows.
func first(rows int) Transformation {
	return Transformation{"limit", struct {
		Limit int `json:"limitField"`
	}{rows}}
}

// positive leaves the rows whose number in a column is greater than 0.
func positive(column string) Transformation { return passing(column, "greater", 0) }

// below leaves the rows whose number in a column is lower than a value.
func below(column string, value float64) Transformation { return passing(column, "lower", value) }

func passing(column, how string, value float64) Transformation {
	type options struct {
		Value float64 `json:"value"`
	}
	type config struct {
		ID      string  `json:"id"`
		Options options `json:"options"`
	}
	type filter struct {
		Config    config `json:"config"`
		FieldName string `json:"fieldName"`
	}
	return Transformation{"filterByValue", struct {
		Filters []filter `json:"filters"`
		Match   string   `json:"match"`
		Type    string   `json:"type"`
	}{[]filter{{config{how, options{value}}, column}}, "any", "include"}}
}

// ratioOf adds a column: one divided by another.
func ratioOf(name, part, whole string) Transformation {
	type binary struct {
		Left     string `json:"left"`
		Operator string `json:"operator"`
		Right    string `json:"right"`
	}
	return Transformation{"calculateField", struct {
		Alias  string `json:"alias"`
		Binary binary `json:"binary"`
		Mode   string `json:"mode"`
	}{name, binary{part, "/", whole}, "binary"}}
}

// rows makes a row of each series: its name in the column Field, and what calculations make of its values.
func rows(calcs ...string) Transformation {
	return Transformation{"reduce", struct {
		Reducers     []string `json:"reducers"`
		Mode         string   `json:"mode"`
		LabelsToRows bool     `json:"labelsToFields"`
	}{calcs, "seriesToRows", false}}
}
