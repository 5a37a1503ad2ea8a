package embedded

// RepairForTest repairs the logs below a folder without starting a store.
var RepairForTest = repairLogs
