package city

import "time"

// Traffic of an average main street by hour of the local day, as a part of its busiest hour.
var (
	workday = [24]float64{
		.08, .05, .04, .04, .06, .16, .42, .82, .95, .72, .62, .62, .66, .66, .68, .76, .92, 1, .86, .62, .46, .36, .26, .15,
	}
	saturday = [24]float64{
		.16, .12, .09, .06, .06, .08, .14, .22, .36, .52, .66, .74, .76, .72, .68, .66, .64, .62, .56, .48, .40, .36, .32, .26,
	}
	sunday = [24]float64{
		.20, .16, .12, .09, .06, .06, .09, .13, .20, .32, .46, .56, .60, .60, .60, .58, .56, .54, .48, .40, .32, .25, .18, .12,
	}
	// People on foot, and guests of car parks, on any day that is not a Sunday.
	strolling = [24]float64{
		.06, .04, .02, .02, .02, .04, .10, .22, .34, .46, .60, .78, .92, .90, .82, .84, .92, 1, .92, .74, .58, .42, .28, .14,
	}
	// Electricity of homes and of offices.
	household = [24]float64{
		.36, .32, .30, .29, .30, .36, .54, .70, .66, .58, .56, .60, .68, .62, .56, .56, .64, .82, .98, 1, .94, .80, .62, .46,
	}
	office = [24]float64{
		.22, .21, .21, .21, .22, .26, .42, .70, .92, 1, 1, .98, .94, .97, .98, .95, .86, .66, .44, .34, .29, .26, .24, .23,
	}
)

// curve reads a day's table between the hours.
func curve(day *[24]float64, next *[24]float64, hour float64) float64 {
	i := int(hour)
	a, b := day[i%24], next[0]
	if i+1 < 24 {
		b = day[i+1]
	}
	return a + (b-a)*(hour-float64(i))
}

func trafficDay(d time.Weekday) *[24]float64 {
	switch d {
	case time.Saturday:
		return &saturday
	case time.Sunday:
		return &sunday
	}
	return &workday
}

// offWork is how much less offices and pedestrians do on a day.
func offWork(d time.Weekday, saturday, sunday float64) float64 {
	switch d {
	case time.Saturday:
		return saturday
	case time.Sunday:
		return sunday
	}
	return 1
}
